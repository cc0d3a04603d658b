text:
..

redirect "a@example.net"; redirect "b@example.net"; redirect "a@example.net";

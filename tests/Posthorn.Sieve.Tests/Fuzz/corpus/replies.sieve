require ["vacation", "reject", "enotify", "copy", "envelope", "editheader"];
vacation :days 7 :subject "s" :addresses ["a@b.c"] :mime text:
Content-Type: text/plain

..dot
.
;
addheader :last "X-A" "b
 c";
deleteheader :index 1 :last :contains "Received" "x";
redirect :copy "d@e.f";
notify :importance "1" "mailto:a@b.c?subject=%41&body=x";

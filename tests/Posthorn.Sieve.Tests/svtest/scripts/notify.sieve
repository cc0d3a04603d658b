require "enotify";
notify :importance "1" :message "News" "mailto:pager@example.net?cc=two@example.net&body=Look";

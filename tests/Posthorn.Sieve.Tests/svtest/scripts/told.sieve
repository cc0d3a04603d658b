require "enotify";
notify "mailto:a@example.com,b@example.com";
notify "mailto:b@example.com,c@example.com";

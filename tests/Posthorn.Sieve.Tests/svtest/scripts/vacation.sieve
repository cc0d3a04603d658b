require "vacation";
vacation :days 2 :subject "Away" "I am away.";

require ["fileinto", "variables", "regex", "relational", "comparator-i;ascii-numeric"];
set :lower :upperfirst "a" "${1}x${a}";
if allof (header :regex ["From", "To"] "((a|b)*c)*@(.*)", not size :over 10K) { fileinto "f.${2}"; } elsif string :count "ge" :comparator "i;ascii-numeric" ["", "x"] "1" { stop; } else { keep; }

require ["imapsieve", "environment", "fileinto", "imap4flags"];
if environment "imap.cause" "COPY" { fileinto "Learned"; }
elsif allof(environment "imap.cause" "FLAG", environment :contains "imap.changedflags" "\\Flagged") { fileinto "Marked"; }

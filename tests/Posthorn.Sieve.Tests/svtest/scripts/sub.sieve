require ["vnd.dovecot.testsuite"];
if not header :contains "subject" "Frop" { test_fail "another subject"; }

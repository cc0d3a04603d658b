require ["include", "variables"];
global "result";
set "result" "${result} two";
return;
set "result" "never";

require ["include", "variables"];
global "result";
set "result" "${result} one";
include :global "two";

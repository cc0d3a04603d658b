require ["ereject", "fileinto"];
fileinto "Somewhere";
ereject "no";

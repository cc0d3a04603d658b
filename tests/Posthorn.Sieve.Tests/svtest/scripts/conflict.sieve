require ["reject", "fileinto"];
fileinto "x";
reject "Not wanted.";

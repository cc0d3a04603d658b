require "fileinto";
fileinto "Missing";

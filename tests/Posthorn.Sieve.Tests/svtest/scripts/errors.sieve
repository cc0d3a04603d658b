require "fileinto";
fileinto 3;
nonsense;
if header :is "a" { keep; }

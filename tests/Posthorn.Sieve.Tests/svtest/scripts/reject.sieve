require "reject";
reject "Not wanted.";

require ["foreverypart", "mime", "extracttext", "replace", "enclose", "variables", "body"];
foreverypart :name "o" { if header :mime :param "filename" :matches "Content-Disposition" "*.exe" { replace :mime "Content-Type: text/plain

gone"; break :name "o"; } foreverypart { extracttext :first 10 "t"; } }
if body :content ["text", "message/rfc822"] :contains "x" { enclose :subject "s" :headers ["From"] "t"; }

using Posthorn.Core;

namespace Posthorn.Smtp.Wire;

/// <summary>How much a session forgives.</summary>
/// <param name="IsForgiving">Submission and LMTP: spaces and brackets may be out of place. Port 25 keeps to RFC 5321 section 4.1.2.</param>
/// <param name="CompletesNames">Bare local parts get the default domain, and <c>&lt;@&gt;</c> is the null path: submission and trusted networks.</param>
/// <param name="DefaultDomain">The domain of bare local parts.</param>
internal readonly record struct SmtpSyntax(bool IsForgiving, bool CompletesNames, DomainName DefaultDomain);

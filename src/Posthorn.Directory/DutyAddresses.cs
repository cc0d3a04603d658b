namespace Posthorn.Directory;

/// <summary>Local parts that every mail system has to answer for.</summary>
public static class DutyAddresses
{
    /// <summary>Whether mail to this local part must reach somebody in charge: <c>postmaster</c> (RFC 5321 section 4.5.1), <c>abuse</c> (RFC 2142), and <c>mailer-daemon</c>, of which reports come (RFC 3464 section 2).</summary>
    public static bool Contains(string localPart) =>
        localPart.Equals("postmaster", StringComparison.OrdinalIgnoreCase) || localPart.Equals("abuse", StringComparison.OrdinalIgnoreCase) || localPart.Equals("mailer-daemon", StringComparison.OrdinalIgnoreCase);
}

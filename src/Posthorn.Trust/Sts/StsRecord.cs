namespace Posthorn.Trust.Sts;

/// <summary>The TXT record at <c>_mta-sts</c> that says that there is a policy, and which (RFC 8461 section 3.1).</summary>
public static class StsRecord
{
    /// <summary>RFC 8461 section 3.1: <c>sts-id = 1*32(ALPHA / DIGIT)</c>.</summary>
    private const int MaxId = 32;

    /// <summary>The id of the one record that there must be; null when there is none, or not just one.</summary>
    public static string? IdOf(IReadOnlyList<string> texts)
    {
        string[] records = [.. texts.Where(text => text.StartsWith("v=STSv1", StringComparison.Ordinal) && (text.Length == 7 || text[7] is ';' or ' ' or '\t'))];
        if (records.Length != 1) return null;
        foreach (string field in records[0].Split(';'))
        {
            string[] pair = field.Split('=', 2);
            if (pair.Length != 2 || pair[0].Trim() != "id") continue;
            string id = pair[1].Trim();
            return id.Length is > 0 and <= MaxId && id.All(char.IsAsciiLetterOrDigit) ? id : null;
        }
        return null;
    }
}

namespace Posthorn.Trust.TlsReporting;

/// <summary>The TXT record at <c>_smtp._tls</c> that says where reports go (RFC 8460 section 3).</summary>
public static class TlsReportRecord
{
    /// <summary>Places of one record that are served.</summary>
    private const int MaxPlaces = 8;

    /// <summary>The places, <c>mailto:</c> and <c>https:</c>, of the one record that there must be; empty when there is none, or not just one.</summary>
    public static IReadOnlyList<Uri> PlacesOf(IReadOnlyList<string> texts)
    {
        string[] records = [.. texts.Where(text => text.StartsWith("v=TLSRPTv1", StringComparison.Ordinal) && (text.Length == 10 || text[10] is ';' or ' ' or '\t'))];
        if (records.Length != 1) return [];
        List<Uri> places = [];
        foreach (string field in records[0].Split(';'))
        {
            string[] pair = field.Split('=', 2);
            if (pair.Length != 2 || pair[0].Trim() != "rua") continue;
            foreach (string place in pair[1].Split(','))
                if (places.Count < MaxPlaces && Uri.TryCreate(place.Trim(), UriKind.Absolute, out Uri? uri) && uri.Scheme is "mailto" or "https") places.Add(uri);
            break;
        }
        return places;
    }
}

namespace Posthorn.Mime.Tests;

/// <summary>The messages of the folder <c>shared/mail</c>, mbox files cut into theirs.</summary>
internal static class SharedMail
{
    /// <summary>Name and bytes as stored of each message. Skips the test where the folder is missing; with CI=true that fails.</summary>
    public static IReadOnlyList<(string Name, byte[] Bytes)> All()
    {
        string? folder = Folder();
        if (folder is null)
        {
            const string Missing = "The folder shared/mail is missing: set POSTHORN_SHARED or put 'shared' beside the folder that holds the .slnx.";
            Assert.False(string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase), Missing);
            Assert.Skip(Missing);
        }
        List<(string, byte[])> all = [];
        foreach (string path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string name = Path.GetRelativePath(folder, path).Replace('\\', '/');
            byte[] bytes = File.ReadAllBytes(path);
            if (name == "README.md") continue;
            if (name.StartsWith("mbox/", StringComparison.Ordinal)) all.AddRange(Split(name, bytes));
            else all.Add((name, bytes));
        }
        return all;
    }

    // At "From " lines.
    private static IEnumerable<(string, byte[])> Split(string name, byte[] mbox)
    {
        string text = System.Text.Encoding.Latin1.GetString(mbox);
        string[] pieces = ("\n" + text).Split("\nFrom ");
        for (int i = 1; i < pieces.Length; i++)
            yield return ($"{name}#{i}", MimeText.Bytes(pieces[i][(pieces[i].IndexOf('\n') + 1)..]));
    }

    private static string? Folder()
    {
        string? shared = Environment.GetEnvironmentVariable("POSTHORN_SHARED");
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); shared is null && at is not null; at = at.Parent)
            if (at.EnumerateFiles("*.slnx").Any()) shared = Path.Combine(at.Parent!.FullName, "shared");
        return shared is not null && Directory.Exists(Path.Combine(shared, "mail")) ? Path.Combine(shared, "mail") : null;
    }
}

using System.Text.RegularExpressions;
using System.Xml.Linq;
using Posthorn.Testing;

namespace Posthorn.Tests.Structure;

/// <summary>Nothing above the store knows that content is Maildir or that the catalogue is SQLite: another engine takes their place without a change there.</summary>
public sealed partial class StoreSecrecyTests
{
    /// <summary>In the program itself: what chooses and sets up the engine, the commands that are about its files, and the configuration's own words.</summary>
    private static readonly string[] MayKnow =
    [
        "Posthorn/Serving/", "Posthorn/Configuration/", "Posthorn/Setup/", "Posthorn/Commands/StoreCommand.cs", "Posthorn/Commands/ExportCommand.cs", "Posthorn/Filtering/ReplayMail.cs",
    ];

    public static IEnumerable<TheoryDataRow<string>> Above => ((string[])["Posthorn.Transport", "Posthorn.Smtp", "Posthorn.Imap", "Posthorn.Pop3", "Posthorn.ManageSieve", "Posthorn"]).Select(name => new TheoryDataRow<string>(name));

    [Theory]
    [MemberData(nameof(Above))]
    public void Names_of_the_engine_stay_below(string project)
    {
        string root = Path.Combine(SharedFolder.Checkout, "src");
        List<string> found = [];
        foreach (string path in Folder.EnumerateFiles(Path.Combine(root, project), "*.cs", SearchOption.AllDirectories).Where(path => !path.Contains("/obj/", StringComparison.Ordinal)))
        {
            string name = Path.GetRelativePath(root, path);
            if (MayKnow.Any(one => name.StartsWith(one, StringComparison.Ordinal))) continue;
            int number = 0;
            foreach (string line in File.ReadLines(path))
            {
                number++;
                // The directory of accounts has a name that begins so, and nothing to do with it.
                if (Words().IsMatch(line.Replace("MailDirectory", "", StringComparison.Ordinal))) found.Add($"{name}:{number}: {line.Trim()}");
            }
        }

        Assert.Empty(found);
    }

    [Theory]
    [MemberData(nameof(Above))]
    public void No_package_of_the_engine_is_referenced(string project)
    {
        string path = Path.Combine(SharedFolder.Checkout, "src", project, project + ".csproj");
        Assert.DoesNotContain(XDocument.Load(path).Descendants("PackageReference"), reference => reference.Attribute("Include")!.Value.Contains("Sqlite", StringComparison.OrdinalIgnoreCase));
    }

    // The test finds what it looks for where that may be.
    [Fact]
    public void The_engine_itself_says_its_names() =>
        Assert.Contains(Folder.EnumerateFiles(Path.Combine(SharedFolder.Checkout, "src", "Posthorn.Store", "Engine"), "*.cs"), path => File.ReadLines(path).Any(line => Words().IsMatch(line)));

    [GeneratedRegex("maildir|sqlite|uidlist|catalogue|Posthorn\\.Store\\.(Engine|Catalogue|Maildir|Changes|Dovecot)", RegexOptions.IgnoreCase)]
    private static partial Regex Words();
}

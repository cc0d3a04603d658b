using System.Xml.Linq;
using Posthorn.Testing;

namespace Posthorn.Tests.Structure;

/// <summary>Projects are layers: a project references only lower ones (docs/architecture.md).</summary>
public sealed class LayerTests
{
    private static readonly Dictionary<string, int> Layers = new()
    {
        ["Posthorn.Core"] = 0,
        ["Posthorn.Mime"] = 1,
        ["Posthorn.Sieve"] = 1,
        ["Posthorn.Journal"] = 1,
        ["Posthorn.Net"] = 1,
        ["Posthorn.Directory"] = 2,
        ["Posthorn.Trust"] = 2,
        ["Posthorn.Store"] = 2,
        ["Posthorn.Transport"] = 3,
        ["Posthorn.Smtp"] = 4,
        ["Posthorn.Imap"] = 4,
        ["Posthorn.Pop3"] = 4,
        ["Posthorn.ManageSieve"] = 4,
        ["Posthorn.DovecotAuth"] = 4,
        ["Posthorn.Web"] = 4,
        ["Posthorn"] = 5,
    };

    public static IEnumerable<TheoryDataRow<string>> Projects =>
        Folder.EnumerateFiles(Path.Combine(SharedFolder.Checkout, "src"), "*.csproj", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal).Select(p => new TheoryDataRow<string>(Path.GetFileNameWithoutExtension(p)));

    [Theory]
    [MemberData(nameof(Projects))]
    public void References_only_lower_layers(string project)
    {
        Assert.True(Layers.TryGetValue(project, out int layer), $"{project} has no layer: add it to this test and to docs/architecture.md");
        string path = Path.Combine(SharedFolder.Checkout, "src", project, project + ".csproj");
        foreach (XElement reference in XDocument.Load(path).Descendants("ProjectReference"))
        {
            string other = Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/'));
            Assert.True(Layers[other] < layer, $"{project} (layer {layer}) references {other} (layer {Layers[other]})");
        }
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Is_in_the_solution(string project) =>
        Assert.Contains($"src/{project}/{project}.csproj", File.ReadAllText(Path.Combine(SharedFolder.Checkout, "Posthorn.slnx")), StringComparison.Ordinal);
}

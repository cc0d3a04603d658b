using Posthorn.Testing;

namespace Posthorn.Tests.Structure;

/// <summary>Files stay readable.</summary>
public sealed class SizeTests
{
    private const int MaxLines = 800;

    [Fact]
    public void No_source_file_is_longer_than_a_reader_bears()
    {
        IEnumerable<string> tooLong = Folder.EnumerateFiles(Path.Combine(SharedFolder.Checkout, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(p => !p.Contains("/obj/", StringComparison.Ordinal))
            .Where(p => File.ReadLines(p).Count() > MaxLines);
        Assert.Empty(tooLong);
    }

    [Fact]
    public void Namespaces_equal_folders()
    {
        string root = Path.Combine(SharedFolder.Checkout, "src");
        List<string> wrong = [];
        foreach (string path in Folder.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories).Where(p => !p.Contains("/obj/", StringComparison.Ordinal)))
        {
            string? line = File.ReadLines(path).FirstOrDefault(l => l.StartsWith("namespace ", StringComparison.Ordinal));
            if (line is null) continue;
            string expected = Path.GetRelativePath(root, Path.GetDirectoryName(path)!).Replace('/', '.');
            if (line != $"namespace {expected};") wrong.Add($"{Path.GetRelativePath(root, path)}: {line}, expected {expected}");
        }
        Assert.Empty(wrong);
    }

    [Fact]
    public void No_test_switches_in_product_code()
    {
        IEnumerable<string> switches = Folder.EnumerateFiles(Path.Combine(SharedFolder.Checkout, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(p => !p.Contains("/obj/", StringComparison.Ordinal))
            .Where(p => File.ReadLines(p).Any(l => l.TrimStart().StartsWith("#if", StringComparison.Ordinal) || l.Contains("[Conditional(", StringComparison.Ordinal)));
        Assert.Empty(switches);
    }
}

namespace Posthorn.Testing;

/// <summary>Test data that lies beside the project: real messages and standards.</summary>
public static class SharedFolder
{
    // First: Path is found beside it.
    /// <summary>The folder that holds the solution file.</summary>
    public static string Checkout { get; } = FindCheckout();

    /// <summary>The folder, or null when this machine lacks it.</summary>
    public static string? Path { get; } = Find();

    /// <summary>A file or folder in it. Where it is missing the test skips, saying so; with <c>CI=true</c> it fails.</summary>
    public static string Require(string relative)
    {
        if (Path is { } root && System.IO.Path.Combine(root, relative) is { } path && System.IO.Path.Exists(path)) return path;
        string text = $"needs the shared test data '{relative}' (set POSTHORN_SHARED, or put the folder 'shared' beside the checkout)";
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail(text);
        Assert.Skip(text);
        return "";
    }

    private static string? Find()
    {
        string? named = Environment.GetEnvironmentVariable("POSTHORN_SHARED");
        if (!string.IsNullOrEmpty(named)) return named;
        string beside = System.IO.Path.Combine(Checkout, "..", "shared");
        return Directory.Exists(beside) ? System.IO.Path.GetFullPath(beside) : null;
    }

    private static string FindCheckout()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(System.IO.Path.Combine(at.FullName, "Posthorn.slnx"))) return at.FullName;
        throw new InvalidOperationException("Posthorn.slnx is in no folder above the tests.");
    }
}

namespace Posthorn.Interop.Tests.Harness;

/// <summary>A server on a quickstart folder whose configuration a test has changed.</summary>
internal static class QuickServer
{
    /// <summary>Makes a folder with accounts and certificate, changes its configuration, and serves it.</summary>
    public static async Task<(PosthornProcess Server, IReadOnlyList<Account> Accounts)> StartAsync(string root, Func<string, string> change)
    {
        IReadOnlyList<Account> accounts;
        await using (PosthornProcess quick = await PosthornProcess.StartAsync(directory: root))
        {
            accounts = quick.Accounts;
            await quick.StopAsync();
        }
        string configuration = Path.Combine(root, "posthorn.toml");
        await File.WriteAllTextAsync(configuration, change(await File.ReadAllTextAsync(configuration)));
        return (await PosthornProcess.ServeAsync(configuration), accounts);
    }
}

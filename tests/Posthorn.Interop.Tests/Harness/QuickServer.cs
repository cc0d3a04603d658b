namespace Posthorn.Interop.Tests.Harness;

/// <summary>A server on a quickstart folder whose configuration a test has changed.</summary>
internal static class QuickServer
{
    /// <summary>Makes a folder with accounts and certificate, changes its configuration, and serves it.</summary>
    /// <param name="root">The folder.</param>
    /// <param name="change">Makes the new configuration of the old.</param>
    /// <param name="before">What else is to be made before the start, knowing the accounts.</param>
    public static async Task<(PosthornProcess Server, IReadOnlyList<Account> Accounts)> StartAsync(string root, Func<string, string> change, Action<IReadOnlyList<Account>>? before = null)
    {
        IReadOnlyList<Account> accounts;
        await using (PosthornProcess quick = await PosthornProcess.StartAsync(directory: root))
        {
            accounts = quick.Accounts;
            await quick.StopAsync();
        }
        before?.Invoke(accounts);
        string configuration = Path.Combine(root, "posthorn.toml");
        await File.WriteAllTextAsync(configuration, change(await File.ReadAllTextAsync(configuration)));
        return (await PosthornProcess.ServeAsync(configuration), accounts);
    }
}

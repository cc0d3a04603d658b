using Posthorn.Net;
using Microsoft.Extensions.Logging.Abstractions;

namespace Posthorn.Configuration;

/// <summary>What came of reading a configuration: it, and every problem. With an error among the problems there is none.</summary>
public sealed record ConfigurationResult(ServerConfiguration? Configuration, IReadOnlyList<ConfigProblem> Problems)
{
    public bool HasErrors => Problems.Any(p => !p.IsWarning);
}

/// <summary>Finds and reads the configuration file with its includes.</summary>
public static class ConfigurationLoader
{
    public const string DefaultFile = "/etc/posthorn/posthorn.toml";

    /// <summary>The file to read: the one given, else <c>$POSTHORN_CONFIG</c>, else <see cref="DefaultFile"/>.</summary>
    public static string Locate(string? given)
    {
        string? path = !string.IsNullOrEmpty(given) ? given : Environment.GetEnvironmentVariable("POSTHORN_CONFIG");
        return Path.GetFullPath(string.IsNullOrEmpty(path) ? DefaultFile : path);
    }

    /// <summary>Reads it and reports all mistakes at once.</summary>
    /// <param name="file">The main file.</param>
    /// <param name="withoutFiles">Files of accounts and aliases need not be there: whoever asks makes them.</param>
    public static ConfigurationResult Load(string file, bool withoutFiles = false)
    {
        List<ConfigProblem> syntax = [];
        ConfigContext context = new() { MayLackFiles = withoutFiles };
        ConfigValue.Table? root = Read(file, syntax);
        if (root is null) return new(null, syntax);
        MergeIncludes(root, file, syntax);
        ServerConfiguration? configuration = ConfigurationBinder.Bind(root, file, context);
        List<ConfigProblem> problems = [.. syntax, .. context.Problems];
        if (configuration is { Tls: { } tls } && problems.All(p => p.IsWarning)) CheckCertificate(tls, configuration.Hostname.Ascii, root, problems);
        problems = [.. problems.OrderBy(p => p.Place.File, StringComparer.Ordinal).ThenBy(p => p.Place.Line).ThenBy(p => p.Place.Column)];
        return new(problems.Any(p => !p.IsWarning) ? null : configuration, problems);
    }

    /// <summary>What can be read of it, mistakes or not; null where nothing can. For programs that run as somebody who may not read all that it names.</summary>
    public static ServerConfiguration? Glance(string file)
    {
        if (Read(file, []) is not { } root) return null;
        MergeIncludes(root, file, []);
        return ConfigurationBinder.Bind(root, file, new());
    }

    /// <summary>As <see cref="Load"/>, but with a configuration in spite of mistakes as long as it says where <c>data</c> is.</summary>
    public static ConfigurationResult LoadForData(string file)
    {
        ConfigurationResult strict = Load(file);
        return strict.Configuration is null && Glance(file) is { Data: not ConfigurationBinder.NoData } seen ? strict with { Configuration = seen } : strict;
    }

    /// <summary>Every key that the configuration knows, with its section.</summary>
    public static IReadOnlyCollection<string> KnownKeys()
    {
        ConfigContext context = new() { IsListingKeys = true };
        ConfigurationBinder.Bind(new(new("", 1, 1)), "", context);
        return context.KnownKeys;
    }

    private static ConfigValue.Table? Read(string file, List<ConfigProblem> problems)
    {
        try { return ConfigTreeParser.Parse(file, File.ReadAllBytes(file), problems); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string what = e is FileNotFoundException or DirectoryNotFoundException
                ? "there is no such file; name one with --config, or make one with: posthorn init DOMAIN"
                : e is UnauthorizedAccessException ? "it is not yours to read: run this as the server's user, or as root"
                : e.Message;
            problems.Add(new(new(file, 1, 1), what));
            return null;
        }
    }

    // Included files add to the tables of the main file; setting a key twice is a mistake, lists of sections grow.
    private static void MergeIncludes(ConfigValue.Table root, string file, List<ConfigProblem> problems)
    {
        string folder = Path.GetDirectoryName(file) ?? "/";
        List<string> patterns = [];
        if (root.Items.TryGetValue("include", out (ConfigPlace Place, ConfigValue Value) include))
            patterns = include.Value switch
            {
                ConfigValue.Text one => [one.Value],
                ConfigValue.List list => [.. list.Items.OfType<ConfigValue.Text>().Select(t => t.Value)],
                _ => [],
            };
        patterns.Add(Path.Combine("domains.d", "*.toml"));
        foreach (string pattern in patterns)
        {
            string full = Path.GetFullPath(pattern, folder);
            string parent = Path.GetDirectoryName(full) ?? "/";
            if (!Folder.Exists(parent)) continue;
            foreach (string path in Folder.EnumerateFiles(parent, Path.GetFileName(full)).Order(StringComparer.Ordinal))
                if (path != file && Read(path, problems) is { } included) Merge(root, included, problems);
        }
    }

    private static void Merge(ConfigValue.Table into, ConfigValue.Table from, List<ConfigProblem> problems)
    {
        foreach ((string key, (ConfigPlace place, ConfigValue value)) in from.Items)
        {
            if (!into.Items.TryGetValue(key, out (ConfigPlace Place, ConfigValue Value) known)) into.Items[key] = (place, value);
            else if (known.Value is ConfigValue.Table a && value is ConfigValue.Table b) Merge(a, b, problems);
            else if (known.Value is ConfigValue.List c && value is ConfigValue.List d && c.Items.Concat(d.Items).All(i => i is ConfigValue.Table))
                into.Items[key] = (known.Place, new ConfigValue.List([.. c.Items, .. d.Items], known.Place));
            else problems.Add(new(place, $"'{key}' is set already at {known.Place}"));
        }
    }

    private static void CheckCertificate(TlsSection tls, string hostname, ConfigValue.Table root, List<ConfigProblem> problems)
    {
        ConfigPlace place = root.Items.TryGetValue("tls", out (ConfigPlace Place, ConfigValue Value) section) ? section.Place : root.Place;
        try
        {
            using TlsIdentity identity = TlsIdentity.Load(tls.Certificate, tls.Key, TimeProvider.System, NullLogger.Instance);
            TimeSpan left = identity.NotAfter - TimeProvider.System.GetUtcNow();
            if (left < TimeSpan.Zero) problems.Add(new(place, $"the certificate {tls.Certificate} ended on {identity.NotAfter.UtcDateTime:yyyy-MM-dd HH:mm} UTC: clients will refuse it", IsWarning: true));
            else if (left < TlsIdentity.RenewBefore) problems.Add(new(place, $"the certificate {tls.Certificate} ends on {identity.NotAfter.UtcDateTime:yyyy-MM-dd HH:mm} UTC", IsWarning: true));
            if (!identity.IsFor(hostname)) problems.Add(new(place, $"the certificate {tls.Certificate} is not for {hostname}: clients that know the server by its 'hostname' will refuse it", IsWarning: true));
        }
        catch (IOException e) { problems.Add(new(place, e.Message)); }
    }
}

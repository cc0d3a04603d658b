using System.Net;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Directory.Lookups;
using Posthorn.Imap;
using Posthorn.Journal;
using Posthorn.ManageSieve;
using Posthorn.Net;
using Posthorn.Pop3;
using Posthorn.Smtp;
using Posthorn.Store.Engine;
using Posthorn.Transport;
using Posthorn.Transport.Filtering;

namespace Posthorn.Serving;

/// <summary>What each part of the server is told of the configuration.</summary>
internal static class OptionsFor
{
    public static DirectoryOptions Directory(ServerConfiguration configuration) => new()
    {
        Domains = [.. configuration.Domains.Select(d => new DomainOptions
        {
            Name = d.Name,
            RecipientDelimiter = d.RecipientDelimiter,
            Aliases = d.Aliases,
            PasswdFile = d.PasswdFile,
        })],
        SecretFile = Path.Combine(configuration.Data, "scram-secret"),
        MailHomeTemplate = WithData(configuration.Mail.Home, configuration),
        MailLocationTemplate = WithData(configuration.Mail.Location, configuration),
        DefaultDomain = configuration.Auth.DefaultDomain,
        PasswdFile = configuration.Auth.PasswdFile,
        Postmaster = configuration.Domains.Select(d => d.Postmaster).FirstOrDefault(p => p is not null),
        Mechanisms = configuration.Auth.Mechanisms,
        AuthTrustedNetworks = configuration.Network.Trusted,
        SharedAliases = configuration.Submission.SharedAliases,
        FailureRate = configuration.Limits.Failures(configuration.Limits.FailedLogins),
    };

    public static LookupOptions Lookups(ServerConfiguration configuration) => new() { Tables = configuration.Lookups };

    public static SmtpOptions Smtp(ServerConfiguration configuration, DomainName defaultDomain) => new()
    {
        Hostname = configuration.Hostname,
        DefaultDomain = defaultDomain,
        TrustedNetworks = configuration.Network.Relay,
        BrokenAuthLine = configuration.Submission.BrokenClients,
        MaxRecipients = configuration.Limits.Recipients,
        MaxTextLine = configuration.Limits.TextLine,
        ShortestDeliverBy = configuration.Limits.ShortestDeliverBy,
        FutureRelease = configuration.Submission.FutureRelease,
        XClientNetworks = configuration.Network.XClient,
        XForwardNetworks = configuration.Network.XForward,
        GreetingDelay = configuration.Limits.GreetingDelay,
        ForbidEarlyTalk = configuration.Limits.ForbidEarlyTalk,
        Tarpit = configuration.Limits.Tarpit,
        TarpitAfter = configuration.Limits.TarpitAfter,
        MessageRate = configuration.Limits.Rate(configuration.Limits.MessageRate),
        RecipientRate = configuration.Limits.Rate(configuration.Limits.RecipientRate),
        ErrorRate = configuration.Limits.Failures(configuration.Limits.ErrorRate),
    };

    public static ImapOptions Imap(ServerConfiguration configuration) => new()
    {
        HostName = configuration.Hostname.Ascii,
        MaxMessage = configuration.Limits.MessageSize,
        MaxAppendedOctets = Math.Max(ImapOptions.AppendedOctets, configuration.Limits.MessageSize),
        Sharing = new() { OtherUsers = configuration.Imap.OtherUsers, Public = configuration.Imap.Public, PublicAccount = configuration.Imap.PublicAccount },
        Administrators = configuration.Imap.Administrators,
        MetadataAdmin = configuration.Imap.Admin,
        MetadataComment = configuration.Imap.Comment,
        SieveServer = configuration.Sieve.UserEvents ? $"sieve://{configuration.Hostname.Ascii}" : null,
        EventScript = configuration.Sieve.UserEvents ? configuration.Sieve.EventScript : null,
        CommandsPerSecond = configuration.Imap.CommandsPerSecond,
        MessageLimit = configuration.Imap.MessageLimit,
        Unauthenticate = configuration.Imap.Unauthenticate,
    };

    public static ManageSieveOptions ManageSieve(ServerConfiguration configuration) => new()
    {
        Sieve = Sieve(configuration).Language,
    };
    public static Pop3Options Pop3(ServerConfiguration configuration) => new() { HostName = configuration.Hostname.Ascii };

    public static TransportOptions Transport(ServerConfiguration configuration) => new()
    {
        Hostname = configuration.Hostname.Ascii,
        OwnEndPoints = [.. configuration.Listeners.Where(l => l.Options.Name == "smtp").Select(l => l.Options.EndPoint).OfType<IPEndPoint>()],
        MaxMessageSize = configuration.Limits.MessageSize,
        MaxReceived = configuration.Limits.ReceivedHops,
        HideSubmissionClient = configuration.Submission.HideClient,
        SenderLogins = configuration.Submission.SenderLogins,
        CompletesTrusted = configuration.Submission.CompletesTrusted,
        Rewriting = configuration.Rewriting,
        Queue = configuration.Outbound.Queue,
        Outbound = configuration.Outbound.Options,
    };

    public static SieveOptions Sieve(ServerConfiguration configuration)
    {
        SieveSection sieve = configuration.Sieve;
        return new()
        {
            Hostname = configuration.Hostname.Ascii,
            Postmaster = configuration.Domains.Select(d => d.Postmaster).FirstOrDefault(p => p is not null)?.ToString(),
            Before = sieve.Before,
            After = sieve.After,
            Default = sieve.Default,
            GlobalFolder = sieve.Global,
            Language = sieve.Language,
            Scripts = sieve.Scripts,
            ProgramFolder = sieve.Programs,
            ProgramTime = sieve.ProgramTime,
            ProgramMemory = sieve.ProgramMemory,
            Lists = sieve.Lists,
            ImapRules = sieve.ImapRules,
            UserEvents = sieve.UserEvents,
            ServerAnnotations = Annotations(configuration),
        };
    }

    // What IMAP tells of the server, and scripts ask for.
    private static Dictionary<string, string> Annotations(ServerConfiguration configuration)
    {
        Dictionary<string, string> known = [];
        if (configuration.Imap.Admin is { } admin) known["/shared/admin"] = admin;
        if (configuration.Imap.Comment is { } comment) known["/shared/comment"] = comment;
        if (configuration.Sieve.EventScript is { } script) known["/shared/imapsieve/script"] = script;
        return known;
    }

    public static MaildirStoreOptions Stores(ServerConfiguration configuration)
    {
        MaildirStoreOptions options = new()
        {
            AccountsDirectory = Path.Combine(configuration.Data, "accounts"),
            Separator = configuration.Mail.Separator,
            HostName = configuration.Hostname.Ascii,
            KeepExpunged = configuration.Mail.KeepExpunged,
            CountExpunged = configuration.Mail.CountExpunged,
            WordIndex = configuration.Mail.WordIndex,
            LineEndings = configuration.Mail.LineEndings,
        };
        return configuration.Mail.SpecialFolders ? options : options with { SpecialMailboxes = [] };
    }

    public static JournalOptions Journal(ServerConfiguration configuration) => new()
    {
        Directory = Path.Combine(configuration.Data, "journal"),
        SegmentSize = (int)configuration.Journal.SegmentSize,
        Segments = configuration.Journal.Segments,
    };

    public static ConnectionLimits Connections(ServerConfiguration configuration) => new()
    {
        Total = configuration.Limits.Connections,
        PerAddress = configuration.Limits.ConnectionsPerAddress,
        Transfer = configuration.Limits.ConnectionsTransfer,
        BeforeLogin = configuration.Limits.ConnectionsBeforeLogin,
        LoginGrace = configuration.Limits.LoginGrace,
        Per56 = configuration.Limits.ConnectionsPer56,
        Per48 = configuration.Limits.ConnectionsPer48,
        Rate = configuration.Limits.Rate(configuration.Limits.ConnectionRate),
        Exempt = new([.. configuration.Network.Trusted, .. configuration.Network.Relay]),
    };

    public static string? LogFile(ServerConfiguration configuration) =>
        configuration.Log.File ? Path.Combine(configuration.Data, "log", "posthorn.log") : null;

    private static string WithData(string template, ServerConfiguration configuration) =>
        template.Replace("{data}", configuration.Data, StringComparison.Ordinal);
}

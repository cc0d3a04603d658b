using Posthorn.Core;

namespace Posthorn.Directory.Aliases;

/// <summary>Follows one recipient through the aliases to the end. Used once.</summary>
internal sealed class Expansion(DirectorySnapshot directory)
{
    private readonly List<Target> _targets = [];
    private readonly HashSet<EmailAddress> _path = [];
    private readonly HashSet<EmailAddress> _done = [];
    private readonly HashSet<(MailAccount, string?)> _delivered = [];
    private Resolution? _failure;

    public Resolution Run(EmailAddress recipient)
    {
        if (!directory.Domains.ContainsKey(recipient.Domain)) return new Resolution.NotOurs();
        Follow(recipient);
        if (_failure is not null) return _failure;
        if (_targets.Count > 0) return new Resolution.Recipients(_targets);
        return directory.IsIncomplete ? new Resolution.Unavailable() : new Resolution.Unknown();
    }

    private void Follow(EmailAddress address)
    {
        if (_failure is not null || _done.Contains(address)) return;
        bool cannotSay = false;
        IReadOnlyList<EmailAddress>? next = directory.Domains.ContainsKey(address.Domain) ? directory.Aliases.Lookup(directory, address, out cannotSay) : null;
        if (cannotSay)
        {
            _failure = new Resolution.Unavailable();
            return;
        }
        if (next is null)
        {
            Arrive(address);
            return;
        }
        if (_path.Count >= directory.Options.Limits.MaxAliasDepth)
        {
            _failure = new Resolution.Loop(address);
            return;
        }
        _path.Add(address);
        foreach (EmailAddress target in next)
        {
            // An address may name itself, once: the usual way to keep a copy (Postfix's cleanup_map1n).
            if (target == address) Arrive(target);
            else if (_path.Contains(target)) _failure ??= new Resolution.Loop(target);
            else Follow(target);
        }
        _path.Remove(address);
        _done.Add(address);
    }

    private void Arrive(EmailAddress address)
    {
        _done.Add(address);
        Target? target = null;
        if (!directory.Domains.ContainsKey(address.Domain)) target = new Target.Remote(address);
        else if (directory.Find(address, out string? detail) is { } entry)
        {
            if (_delivered.Add((entry.Account, detail))) target = new Target.Local(entry.Account, address, detail);
        }
        else if (directory.FindDuty(address) is { } account && _delivered.Add((account, null))) target = new Target.Local(account, address, null);
        // A dead name among living ones is left out; it was reported when the file was read.
        if (target is null) return;
        if (_targets.Count >= directory.Options.Limits.MaxExpansion) _failure ??= new Resolution.TooMany(directory.Options.Limits.MaxExpansion);
        else _targets.Add(target);
    }
}

using Posthorn.Core;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Scripts;

/// <summary>Scripts as files in the accounts' homes, where Pigeonhole has them, so that Dovecot can be left and returned to.</summary>
/// <remarks>
/// Changes take one of a fixed number of locks, chosen by the account, and do nothing but calls of the file system under it. Reading takes none: every change shows at once, by one rename.
/// Why this is not in the journal: docs/adr/0008-scripts-are-files.md.
/// </remarks>
public sealed class FileScriptStore : IScriptStore
{
    // Accounts that change their scripts at the same moment and meet on one lock wait some milliseconds.
    private readonly Lock[] _locks = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];
    private readonly IVolume _volume;
    private readonly ScriptFiles _contents;

    public FileScriptStore(ScriptLimits limits, IVolume volume, TimeProvider time)
    {
        (Limits, _volume) = (limits, volume);
        _contents = new(volume, time, limits.ScriptOctets, maxTotal: 32 << 20);
    }

    public ScriptLimits Limits { get; }

    public ValueTask<IReadOnlyList<ScriptInfo>> ListAsync(MailAccount account, CancellationToken cancel) => ValueTask.FromResult<IReadOnlyList<ScriptInfo>>(Folder(account).List());

    public ValueTask<Result<StoredScript>> GetAsync(MailAccount account, ScriptName name, CancellationToken cancel) => ValueTask.FromResult(_contents.Read(Folder(account).PathOf(name), name));

    public ValueTask<Result<StoredScript>> ActiveAsync(MailAccount account, CancellationToken cancel)
    {
        ScriptFolder folder = Folder(account);
        Result<StoredScript> read = _contents.Read(folder.ActivePath, null);
        if (!read.TryGet(out StoredScript? script, out _)) return ValueTask.FromResult(read);
        return ValueTask.FromResult<Result<StoredScript>>(script with { Name = folder.Active() });
    }

    public ValueTask<Result<Done>> HasRoomAsync(MailAccount account, ScriptName name, long octets, CancellationToken cancel) => ValueTask.FromResult(Room(Folder(account), name, octets));

    public ValueTask<Result<Done>> PutAsync(MailAccount account, ScriptName name, ReadOnlyMemory<byte> content, CancellationToken cancel) => Change(account, folder =>
    {
        Result<Done> room = Room(folder, name, content.Length);
        if (room.IsOk) folder.Put(name, content.Span);
        return room;
    });

    public ValueTask<Result<Done>> DeleteAsync(MailAccount account, ScriptName name, CancellationToken cancel) => Change(account, folder =>
    {
        if (!folder.Exists(name)) return NoSuch(name);
        if (folder.Active() == name) return new Refusal(RefusalKind.InUse, "The active script cannot be deleted");
        folder.Delete(name);
        return Done.It;
    });

    public ValueTask<Result<Done>> RenameAsync(MailAccount account, ScriptName from, ScriptName target, CancellationToken cancel) => Change(account, folder =>
    {
        if (!folder.Exists(from)) return NoSuch(from);
        if (folder.Exists(target)) return new Refusal(RefusalKind.AlreadyExists, $"There is a script \"{target}\" already");
        folder.Rename(from, target);
        return Done.It;
    });

    public ValueTask<Result<Done>> ActivateAsync(MailAccount account, ScriptName? name, CancellationToken cancel) => Change(account, folder =>
    {
        if (name is not { } wanted)
        {
            folder.Deactivate();
            return Done.It;
        }

        if (!folder.Exists(wanted)) return NoSuch(wanted);
        if (folder.Active() != wanted) folder.Activate(wanted);
        return Done.It;
    });

    private ScriptFolder Folder(MailAccount account) => new(_volume, account);

    private ValueTask<Result<Done>> Change(MailAccount account, Func<ScriptFolder, Result<Done>> change)
    {
        lock (_locks[(uint)account.GetHashCode() % (uint)_locks.Length])
        {
            try
            {
                return ValueTask.FromResult(change(Folder(account)));
            }
            catch (VolumeException full) when (full.Error == VolumeError.NoSpace)
            {
                return ValueTask.FromResult<Result<Done>>(new Refusal(RefusalKind.Unavailable, "There is no space to store the script now"));
            }
        }
    }

    private Result<Done> Room(ScriptFolder folder, ScriptName name, long octets)
    {
        if (octets > Limits.ScriptOctets) return new Refusal(RefusalKind.TooBig, $"A script can have {Limits.ScriptOctets} octets");
        List<ScriptInfo> others = folder.List();
        others.RemoveAll(script => script.Name == name);
        if (others.Count >= Limits.Scripts) return new Refusal(RefusalKind.Limit, $"An account can have {Limits.Scripts} scripts");
        if (others.Sum(script => script.Octets) + octets > Limits.TotalOctets) return new Refusal(RefusalKind.OverQuota, $"All scripts together can have {Limits.TotalOctets} octets");
        return Done.It;
    }

    private static Refusal NoSuch(ScriptName name) => new(RefusalKind.NoSuchScript, $"There is no script \"{name}\"");
}

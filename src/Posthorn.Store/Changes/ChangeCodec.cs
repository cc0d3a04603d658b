using Posthorn.Core;

namespace Posthorn.Store.Changes;

/// <summary>The changes of one account as one step of a journal record. Numbers are zigzag varints, texts stand behind their length.</summary>
internal static class ChangeCodec
{
    /// <summary>The number of this layout, the first byte of each step.</summary>
    private const byte Layout = 1;

    /// <summary>The store's only kind of step: changes of one account.</summary>
    internal const byte Kind = 1;

    private enum Tag : byte
    {
        Store = 1,
        Place = 2,
        Expunge = 3,
        Flag = 4,
        Create = 5,
        Delete = 6,
        Rename = 7,
        Subscribe = 8,
        Claim = 9,
        Adopt = 10,
        Remember = 11,
        StoreWithLf = 12,
        StoreInThread = 13,
        Heard = 20,
        Renumber = 21,
        Annotate = 30,
        Share = 31,
    }

    internal static byte[] Write(MailAccount account, char separator, long time, IReadOnlyList<Change> changes)
    {
        ChangeWriter to = new(512);
        to.Byte(Layout);
        to.Text(account.Address.ToString());
        to.Text(account.MailRoot);
        to.Text(account.Home);
        to.Byte((byte)separator);
        to.Number(time);
        to.Number(changes.Count);
        foreach (Change change in changes) Write(ref to, change);
        return to.End();
    }

    private static void Write(ref ChangeWriter to, Change change)
    {
        switch (change)
        {
            case Change.Store one:
                to.Byte((byte)(one.Thread is not null ? Tag.StoreInThread : one.HasLf ? Tag.StoreWithLf : Tag.Store));
                to.Text(one.Mailbox.Value);
                to.Number(one.Uid.Value);
                to.Text(one.Email.Value);
                to.Number(one.Index);
                to.Byte((byte)one.Flags);
                to.Keywords(one.Keywords);
                to.Number(one.Internal);
                to.Number(one.Zone);
                to.Bytes(one.Prefix.Span);
                to.Number(one.Offset);
                to.Number(one.Length);
                if (one.Thread is not null || one.HasLf) to.Number(one.LfOctets ?? -1);
                if (one.Thread is { } thread) to.Text(thread.Value);
                return;
            case Change.Place place:
                to.Byte((byte)Tag.Place);
                to.Text(place.Source.Value);
                to.Text(place.Target.Value);
                to.Byte(place.Move ? (byte)1 : (byte)0);
                to.Number(place.Pairs.Count);
                foreach (Pair pair in place.Pairs)
                {
                    to.Number(pair.Source.Value);
                    to.Number(pair.Target.Value);
                    to.Text(pair.SourceBase);
                    to.Number(pair.Index);
                }
                return;
            case Change.Expunge gone:
                to.Byte((byte)Tag.Expunge);
                to.Text(gone.Mailbox.Value);
                to.Number(gone.Messages.Count);
                foreach ((Uid uid, string name) in gone.Messages)
                {
                    to.Number(uid.Value);
                    to.Text(name);
                }
                return;
            case Change.Flag flag:
                to.Byte((byte)Tag.Flag);
                to.Text(flag.Mailbox.Value);
                to.Byte((byte)flag.What.Operation);
                to.Byte((byte)flag.What.Flags);
                to.Keywords(flag.What.Keywords);
                to.Uids(flag.Uids);
                return;
            default:
                WriteFolder(ref to, change);
                return;
        }
    }

    private static void WriteFolder(ref ChangeWriter to, Change change)
    {
        switch (change)
        {
            case Change.Create made:
                to.Byte((byte)Tag.Create);
                to.Text(made.Mailbox.Value);
                to.Text(made.Name.Value);
                to.Byte((byte)made.Use);
                to.Number(made.Validity.Value);
                return;
            case Change.Delete gone:
                to.Byte((byte)Tag.Delete);
                to.Text(gone.Mailbox.Value);
                to.Text(gone.Name.Value);
                return;
            case Change.Rename renamed:
                to.Byte((byte)Tag.Rename);
                to.Text(renamed.Mailbox.Value);
                to.Text(renamed.From.Value);
                to.Text(renamed.Target.Value);
                return;
            case Change.Subscribe subscribe:
                to.Byte((byte)Tag.Subscribe);
                to.Text(subscribe.Name.Value);
                to.Byte(subscribe.Subscribed ? (byte)1 : (byte)0);
                return;
            case Change.Claim claim:
                to.Byte((byte)Tag.Claim);
                to.Text(claim.Mailbox.Value);
                to.Number(claim.FirstUnclaimed.Value);
                return;
            case Change.Adopt adopt:
                to.Byte((byte)Tag.Adopt);
                to.Text(adopt.Mailbox.Value);
                to.Number(adopt.Files.Count);
                foreach (Adopted file in adopt.Files)
                {
                    to.Text(file.DiskName);
                    to.Number(file.Uid.Value);
                    to.Text(file.Email.Value);
                    to.Byte((byte)file.Flags);
                    to.Keywords(file.Keywords);
                    to.Number(file.Internal);
                }
                return;
            case Change.Remember note:
                to.Byte((byte)Tag.Remember);
                to.Bytes(note.Id.Span);
                to.Number(note.Until);
                return;
            default:
                WriteVisit(ref to, change);
                return;
        }
    }

    private static void WriteVisit(ref ChangeWriter to, Change change)
    {
        switch (change)
        {
            case Change.Heard heard:
                to.Byte((byte)Tag.Heard);
                to.Text(heard.Mailbox.Value);
                to.Number(heard.UidNext.Value);
                to.Number(heard.ModSeq.Value);
                to.Number(heard.Messages.Count);
                foreach ((Uid uid, string fields) in heard.Messages)
                {
                    to.Number(uid.Value);
                    to.Text(fields);
                }
                return;
            case Change.Renumber renumber:
                to.Byte((byte)Tag.Renumber);
                to.Text(renumber.Mailbox.Value);
                to.Text(renumber.Name.Value);
                to.Number(renumber.Validity.Value);
                to.Number(renumber.UidNext.Value);
                to.Number(renumber.Uids.Count);
                foreach ((Uid from, Uid target) in renumber.Uids)
                {
                    to.Number(from.Value);
                    to.Number(target.Value);
                }
                return;
            case Change.Annotate annotate:
                to.Byte((byte)Tag.Annotate);
                to.Text(annotate.Mailbox?.Value ?? "");
                to.Number(annotate.Entries.Count);
                foreach ((string user, string entry, ReadOnlyMemory<byte>? value) in annotate.Entries)
                {
                    to.Text(user);
                    to.Text(entry);
                    to.Byte(value is null ? (byte)0 : (byte)1);
                    if (value is { } set) to.Bytes(set.Span);
                }
                return;
            case Change.Share share:
                to.Byte((byte)Tag.Share);
                to.Text(share.Mailbox.Value);
                to.Text(share.Identifier);
                to.Number(share.Rights is { } rights ? (long)rights : -1);
                return;
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    /// <summary>Reads a step. The texts are the journal's own, checked by its checksum; what cannot be read is another program's doing.</summary>
    /// <exception cref="InvalidDataException">It is not of this layout.</exception>
    internal static AccountChanges Read(ReadOnlyMemory<byte> step)
    {
        ChangeReader from = new(step);
        byte layout = from.Byte();
        if (layout != Layout) throw new InvalidDataException($"A journal record of the mail store has layout {layout}; this program knows {Layout}. A newer Posthorn wrote it.");
        EmailAddress address = EmailAddress.Parse(from.Text());
        MailAccount account = new() { Address = address, MailRoot = from.Text(), Home = from.Text() };
        char separator = (char)from.Byte();
        long time = from.Number();
        int count = from.Count();
        List<Change> changes = new(count);
        for (int i = 0; i < count; i++) changes.Add(Read(ref from, separator));
        return new(account, separator, time, changes);
    }

    private static Change Read(ref ChangeReader from, char separator)
    {
        Tag tag = (Tag)from.Byte();
        MailboxId mailbox = tag is Tag.Subscribe or Tag.Remember or Tag.Annotate ? default : new(from.Text());
        switch (tag)
        {
            case Tag.Store or Tag.StoreWithLf or Tag.StoreInThread:
                return new Change.Store(mailbox, from.Uid(), new(from.Text()), from.Count())
                {
                    Flags = (SystemFlags)from.Byte(),
                    Keywords = from.Keywords(),
                    Internal = from.Number(),
                    Zone = (short)from.Number(),
                    Prefix = from.Bytes(),
                    Offset = from.Number(),
                    Length = from.Number(),
                    LfOctets = tag != Tag.Store && from.Number() is var octets and >= 0 ? octets : null,
                    Thread = tag == Tag.StoreInThread ? new(from.Text()) : null,
                };
            case Tag.Place:
                MailboxId target = new(from.Text());
                bool move = from.Byte() == 1;
                Pair[] pairs = new Pair[from.Count()];
                for (int i = 0; i < pairs.Length; i++) pairs[i] = new(from.Uid(), from.Uid(), from.Text(), from.Count());
                return new Change.Place(mailbox, target, move, pairs);
            case Tag.Expunge:
                (Uid, string)[] gone = new (Uid, string)[from.Count()];
                for (int i = 0; i < gone.Length; i++) gone[i] = (from.Uid(), from.Text());
                return new Change.Expunge(mailbox, gone);
            case Tag.Flag:
                return new Change.Flag(mailbox, new((FlagOperation)from.Byte(), (SystemFlags)from.Byte(), from.Keywords()), from.Uids());
            case Tag.Create:
                return new Change.Create(mailbox, Name(from.Text(), separator), (SpecialUse)from.Byte(), new((uint)from.Number()));
            case Tag.Delete:
                return new Change.Delete(mailbox, Name(from.Text(), separator));
            case Tag.Rename:
                return new Change.Rename(mailbox, Name(from.Text(), separator), Name(from.Text(), separator));
            case Tag.Subscribe:
                return new Change.Subscribe(Name(from.Text(), separator), from.Byte() == 1);
            case Tag.Claim:
                return new Change.Claim(mailbox, from.Uid());
            case Tag.Adopt:
                Adopted[] files = new Adopted[from.Count()];
                for (int i = 0; i < files.Length; i++)
                    files[i] = new(from.Text(), from.Uid(), new(from.Text()), (SystemFlags)from.Byte(), from.Keywords(), from.Number());
                return new Change.Adopt(mailbox, files);
            case Tag.Remember:
                return new Change.Remember(from.Bytes(), from.Number());
            case Tag.Heard:
                (Uid next, ModSeq modSeq) = (from.Uid(), new(from.Number()));
                (Uid, string)[] fields = new (Uid, string)[from.Count()];
                for (int i = 0; i < fields.Length; i++) fields[i] = (from.Uid(), from.Text());
                return new Change.Heard(mailbox, next, modSeq, fields);
            case Tag.Renumber:
                (MailboxName renumbered, UidValidity validity, Uid above) = (Name(from.Text(), separator), new((uint)from.Number()), from.Uid());
                (Uid, Uid)[] uids = new (Uid, Uid)[from.Count()];
                for (int i = 0; i < uids.Length; i++) uids[i] = (from.Uid(), from.Uid());
                return new Change.Renumber(mailbox, renumbered, validity, above, uids);
            case Tag.Annotate:
                return ReadAnnotate(ref from);
            case Tag.Share:
                (string identifier, long rights) = (from.Text(), from.Number());
                return new Change.Share(mailbox, identifier, rights < 0 ? null : (Sharing.MailboxRights)rights);
            default:
                throw new InvalidDataException($"A journal record of the mail store has a change of kind {(byte)tag}. A newer Posthorn wrote it.");
        }
    }

    private static Change.Annotate ReadAnnotate(ref ChangeReader from)
    {
        string mailbox = from.Text();
        (string, string, ReadOnlyMemory<byte>?)[] entries = new (string, string, ReadOnlyMemory<byte>?)[from.Count()];
        for (int i = 0; i < entries.Length; i++) entries[i] = (from.Text(), from.Text(), from.Byte() == 1 ? from.Bytes() : (ReadOnlyMemory<byte>?)null);
        return new(mailbox.Length == 0 ? null : new MailboxId(mailbox), entries);
    }

    private static MailboxName Name(string text, char separator) =>
        MailboxName.TryCreate(text, separator, out MailboxName name) ? name : throw new InvalidDataException("A journal record holds a mailbox name that is none.");
}

/// <summary>A step as read back.</summary>
internal sealed record AccountChanges(MailAccount Account, char Separator, long Time, IReadOnlyList<Change> Changes);

using System.Text;
using Posthorn.Core;

namespace Posthorn.Store.Contract;

/// <summary>Short ways to say what store tests say often.</summary>
public static class StoreFixture
{
    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static MailboxName Name(string text, char separator = '.') =>
        MailboxName.TryCreate(text, separator, out MailboxName name) ? name : throw new ArgumentException($"'{text}' is no mailbox name", nameof(text));

    public static KeywordSet Keywords(params string[] names) => KeywordSet.Of(names.Select(text =>
        Keyword.TryCreate(text, out Keyword keyword) ? keyword : throw new ArgumentException($"'{text}' is no keyword", nameof(names))));

    public static Uid[] Uids(params uint[] values) => [.. values.Select(value => new Uid(value))];

    /// <summary>A message's text with a subject and a body that can be told apart from all others.</summary>
    public static string Text(string subject) =>
        $"From: a@example.org\r\nTo: b@example.org\r\nSubject: {subject}\r\nMessage-ID: <{subject.Replace(' ', '.')}@example.org>\r\nDate: Mon, 1 Jan 2024 10:00:00 +0100\r\n\r\nThis is {subject}.\r\n";

    public static async ValueTask<IMessageSink> SinkAsync(this IMailStores stores, string text)
    {
        IMessageSink sink = stores.CreateSink();
        await sink.WriteAsync(Encoding.Latin1.GetBytes(text), Cancel);
        return sink;
    }

    public static async ValueTask<IMailStore> MustOpenAsync(this IMailStores stores, MailAccount account) => Must(await stores.OpenAsync(account, Cancel));

    public static async ValueTask<AppendReceipt> MustAppendAsync(this IMailStore store, IMailStores stores, string mailbox, params string[] texts)
    {
        List<NewMessage> messages = [];
        foreach (string text in texts) messages.Add(new(await stores.SinkAsync(text), SystemFlags.None, KeywordSet.Empty, new DateTimeOffset(2024, 1, 2, 3, 4, 5, TimeSpan.FromHours(2))));
        AppendReceipt receipt = Must(await store.AppendAsync(Name(mailbox, store.Separator), messages, Cancel));
        foreach (NewMessage message in messages) await message.Content.DisposeAsync();
        return receipt;
    }

    public static async ValueTask<DeliveryReceipt> MustDeliverAsync(this IMailStores stores, MailAccount account, string text, string mailbox = "INBOX")
    {
        await using IMessageSink sink = await stores.SinkAsync(text);
        DeliveryReceipt receipt = await stores.DeliverAsync(sink, [new(account, Name(mailbox), SystemFlags.None, KeywordSet.Empty, default)], null, Cancel);
        Must(receipt.Outcomes[0]);
        return receipt;
    }

    public static async ValueTask<IMailbox> MustSelectAsync(this IMailStore store, string mailbox, bool readOnly = false) =>
        Must(await store.OpenMailboxAsync(Name(mailbox, store.Separator), readOnly, Cancel));

    public static async ValueTask<string> ContentAsync(this IMailStore store, MailboxId mailbox, Uid uid)
    {
        await using IMessageContent content = Must(await store.OpenContentAsync(mailbox, uid, Cancel));
        byte[] bytes = new byte[content.Length];
        int at = 0;
        while (at < bytes.Length && content.Read(at, bytes.AsSpan(at, Math.Min(700, bytes.Length - at))) is > 0 and int read) at += read;
        Assert.Equal(bytes.Length, at);
        Assert.Equal(0, content.Read(bytes.Length, new byte[1]));
        return Encoding.Latin1.GetString(bytes);
    }

    /// <summary>What was expunged, one by one: for mailboxes whose numbers are small.</summary>
    public static async ValueTask<IReadOnlyList<Uid>> ExpungedUidsAsync(this IMailStore store, MailboxId mailbox, ModSeq since) =>
        [.. (await store.ExpungedSinceAsync(mailbox, since, Cancel)).SelectMany(range => Enumerable.Range((int)range.First.Value, (int)range.Count)).Select(uid => new Uid((uint)uid))];

    public static async ValueTask<IReadOnlyList<MessageSummary>> SummariesAsync(this IMailStore store, MailboxId mailbox, SummaryFields fields, params Uid[] uids)
    {
        List<MessageSummary> all = [];
        await foreach (MessageSummary summary in store.SummariesAsync(mailbox, uids, fields, Cancel)) all.Add(summary);
        return all;
    }

    public static IEnumerable<MessageRow> Rows(this MailboxVersion version) => version.Chunks.SelectMany(chunk => chunk.ToArray());

    public static T Must<T>(Result<T> result)
        where T : notnull
    {
        Assert.True(result.TryGet(out T? value, out Refusal? refusal), refusal?.ToString());
        return value;
    }

    public static void Refused<T>(RefusalKind kind, Result<T> result)
        where T : notnull
    {
        Assert.False(result.IsOk);
        Assert.Equal(kind, result.Refusal.Kind);
        Assert.NotEmpty(result.Refusal.Text);
    }
}

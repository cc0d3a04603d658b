using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Posthorn.Configuration;
using Posthorn.Directory.Files;
using Posthorn.Serving;
using Posthorn.Setup;
using Posthorn.Transport;
using Posthorn.Transport.Remote;

namespace Posthorn.Sendmail;

/// <summary>Takes in what local programs left in the drop folder while the server was down, by SMTP as they would have done themselves.</summary>
/// <remarks>
/// Anybody on the machine may put anything into the folder. So a file is first moved into a folder where nobody else can reach it: from then on it is what it is.
/// Links are not followed, and what is empty (pipes and devices are) is not opened. What cannot be used is kept there under <c>failed-NAME</c>.
/// </remarks>
internal sealed class DropPickup : IAsyncDisposable
{
    /// <summary>How often the folder is looked at. It is empty but for the minutes after a start, and looking costs microseconds.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>What was never finished is thrown away after that: its program was told that it failed, or is dead.</summary>
    private static readonly TimeSpan MaxDraftAge = TimeSpan.FromDays(1);

    private const UnixFileMode AnybodyMayLeave = UnixFileMode.StickyBit | UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _folder;
    private readonly string _taken;
    private readonly SendmailSection _bounds;
    private readonly LocalServer _server;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    /// <param name="folder">The drop folder.</param>
    /// <param name="bounds">How much is taken out of it at once.</param>
    /// <param name="server">Where the mail goes; what is larger than its largest message is not even begun with.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where events go.</param>
    public DropPickup(string folder, SendmailSection bounds, LocalServer server, TimeProvider time, ILogger log)
    {
        (_folder, _taken, _bounds, _server, _time, _log) = (folder, Path.Combine(folder, ".taken"), bounds, server, time, log);
        _running = RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using PeriodicTimer timer = new(Interval, _time);
        bool isBroken = false;
        try
        {
            do
            {
                try
                {
                    await RoundAsync(_stop.Token);
                    isBroken = false;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    if (!isBroken) _log.DropFailed(_folder, e.Message); // once, not every five seconds
                    isBroken = true;
                }
            }
            while (await timer.WaitForNextTickAsync(_stop.Token));
        }
        catch (OperationCanceledException) { /* the server ends; what is here is for the next start */ }
    }

    private async Task RoundAsync(CancellationToken cancel)
    {
        if (!Folder.Exists(_folder))
        {
            Folder.CreateDirectory(_folder);
            File.SetUnixFileMode(_folder, AnybodyMayLeave);
        }
        Folder.CreateDirectory(_taken, Private);
        // Where somebody else has made it, or a link of that name, mail would be moved to wherever he likes.
        if (!PrivateFile.IsOwnFolder(_taken)) throw new IOException($"{_taken} is no folder of the server's own; remove it, and see who made it");
        File.SetUnixFileMode(_taken, Private);
        MoveIn(_folder, _taken, _bounds, _server.MaxMessageSize);
        foreach (string path in Folder.EnumerateFiles(_folder, ".*"))
            if (_time.GetUtcNow() - File.GetLastWriteTimeUtc(path) > MaxDraftAge) File.Delete(path);
        foreach (string path in Folder.EnumerateFiles(_taken).Order(StringComparer.Ordinal).ToArray())
            if (DropFile.IsName(Path.GetFileName(path)) && !await TakeAsync(path, cancel)) return;
    }

    /// <summary>Takes messages in as far as the bounds allow: what has been taken in and waits counts, the rest stays where it is. One message always fits.</summary>
    internal static void MoveIn(string folder, string taken, SendmailSection bounds, long maxMessage)
    {
        int messages = 0;
        long octets = 0;
        foreach (FileInfo file in new DirectoryInfo(taken).EnumerateFiles().Where(static file => DropFile.IsName(file.Name))) (messages, octets) = (messages + 1, octets + SizeOf(file, maxMessage));
        foreach (FileInfo file in new DirectoryInfo(folder).EnumerateFiles().Where(static file => DropFile.IsName(file.Name)).Take(bounds.DropMessages).OrderBy(static file => file.Name, StringComparer.Ordinal))
        {
            octets += SizeOf(file, maxMessage);
            if (++messages > bounds.DropMessages || messages > 1 && octets > bounds.DropSize) return;
            file.MoveTo(Path.Combine(taken, file.Name));
        }
    }

    // The envelope comes before the message.
    private static bool IsTooLarge(long length, long maxMessage) => length - DropFile.MaxEnvelope > maxMessage;

    // A link may lead nowhere; it is looked at when it is taken. What is too large is never read, and holds up nobody.
    private static long SizeOf(FileInfo file, long maxMessage)
    {
        try { return IsTooLarge(file.Length, maxMessage) ? 0 : file.Length; }
        catch (FileNotFoundException) { return 0; }
    }

    // False when the server takes nothing now.
    private async Task<bool> TakeAsync(string path, CancellationToken cancel)
    {
        FileInfo info = new(path);
        if (info.LinkTarget is not null || info.Length == 0) return Fail(path, "is no file with a message");
        if (IsTooLarge(info.Length, _server.MaxMessageSize)) return Fail(path, $"has {info.Length} octets, more than a message may have");
        uint owner = FileOwner.Of(path)?.User ?? uint.MaxValue;
        await using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        if (await DropFile.ReadAsync(file, cancel) is not { } envelope) return Fail(path, "has no envelope that can be read");
        // Whoever left it may still have it open and lengthen it: what was there at first is the message.
        (long start, long end) = (file.Position, info.Length);
        (LocalHandover? handover, SmtpReply reply) = await LocalHandover.OpenAsync(new SocketConnector(), _server.EndPoint, _server.Helo, _time, cancel);
        if (handover is null) return false;
        await using (handover)
        {
            List<(string Recipient, SmtpReply Reply)> refused = [];
            reply = await handover.BeginAsync(envelope.Sender, envelope.Return, envelope.EnvelopeId, envelope.NeedsUtf8, cancel);
            if (reply.IsPermanent) return Fail(path, $"its sender is refused: {reply}");
            // A sender that is refused for now holds up nobody else; a server that hangs up takes nothing from anybody.
            if (!reply.IsPositive) return reply.Code != 421;
            foreach (string recipient in envelope.Recipients)
            {
                SmtpReply one = await handover.AddAsync(recipient, envelope.Notify, cancel);
                // What may work later is tried as a whole later: sent now to some, those would get it twice.
                if (one.IsTransient) return true;
                if (!one.IsPositive) refused.Add((recipient, one));
            }
            if (refused.Count < envelope.Recipients.Count)
            {
                reply = await handover.SendAsync(PiecesAsync(file, start, end, cancel), cancel);
                if (reply.IsTransient) return true;
                if (!reply.IsPositive) refused = [.. envelope.Recipients.Select(recipient => (recipient, reply))];
            }
            else await handover.ResetAsync(cancel);
            if (refused.Count > 0)
            {
                SmtpReply told = await RefusalNotice.SendAsync(handover, _server, envelope.Sender, refused, PiecesAsync(file, start, end, cancel), cancel);
                if (!told.IsPositive) return Fail(path, $"is refused for {string.Join(", ", refused.Select(static r => $"{r.Recipient} ({r.Reply})"))}, and its sender cannot be told: {told}");
            }
            File.Delete(path);
            _log.DropTaken(Path.GetFileName(path), envelope.Sender, owner, envelope.Recipients.Count - refused.Count, refused.Count);
            await handover.QuitAsync(cancel);
            return true;
        }
    }

    private bool Fail(string path, string why)
    {
        File.Move(path, Path.Combine(_taken, $"failed-{Path.GetFileName(path)}"));
        _log.DropUnusable(path, why);
        return true;
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> PiecesAsync(FileStream file, long start, long end, [EnumeratorCancellation] CancellationToken cancel)
    {
        file.Position = start;
        byte[] buffer = new byte[32 * 1024];
        while (file.Position < end && await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, end - file.Position)), cancel) is > 0 and int read) yield return buffer.AsMemory(0, read);
    }
}

using System.Text;
using CsCheck;
using Posthorn.Configuration;
using Posthorn.Sendmail;
using Posthorn.Testing;
using Posthorn.Transport;

namespace Posthorn.Tests.Sendmail;

/// <summary>Messages that are left for a server that is down.</summary>
public sealed class DropFileTests
{
    private static readonly string[] Lines = ["posthorn-drop 1\n", "from a@b\n", "to c@d\n", "\n", "notify 9\n", "return Full\n"];

    [Fact]
    public async Task What_is_written_is_read_again()
    {
        using TemporaryFolder folder = new();
        DropEnvelope envelope = new("ann@example.org", ["bob@example.org", "ü@example.org"]) { Notify = DsnNotify.Success | DsnNotify.Failure, Return = DsnReturn.Full, EnvelopeId = "a b" };
        await DropFile.WriteAsync(folder.Path, envelope, Content("Subject: x\n\n", "text\n"), 100, default);
        string path = Assert.Single(Folder.GetFiles(folder.Path));
        Assert.True(DropFile.IsName(Path.GetFileName(path)));
        await using FileStream file = File.OpenRead(path);
        DropEnvelope? read = await DropFile.ReadAsync(file, default);
        Assert.NotNull(read);
        Assert.Equal((envelope.Sender, envelope.Notify, envelope.Return, envelope.EnvelopeId), (read.Sender, read.Notify, read.Return, read.EnvelopeId));
        Assert.Equal(envelope.Recipients, read.Recipients);
        using StreamReader rest = new(file);
        Assert.Equal("Subject: x\n\ntext\n", await rest.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_message_that_cannot_be_read_to_its_end_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        await Assert.ThrowsAsync<IOException>(() => DropFile.WriteAsync(folder.Path, new("", ["a@b.example"]), Broken(), 100, default));
        Assert.Empty(Folder.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public async Task A_message_over_the_limit_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        await DropFile.WriteAsync(folder.Path, new("", ["a@b.example"]), Content("12345", "67890"), 10, default);
        IOException fault = await Assert.ThrowsAsync<IOException>(() => DropFile.WriteAsync(folder.Path, new("", ["a@b.example"]), Content("12345", "678901"), 10, default));
        Assert.Contains("limits.message-size", fault.Message, StringComparison.Ordinal);
        Assert.Single(Folder.GetFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData(3, 1000, 3)]
    [InlineData(100, 250, 2)]
    [InlineData(100, 10, 1)]
    public void No_more_is_taken_in_than_the_bounds_allow(int messages, long octets, int expected)
    {
        using TemporaryFolder folder = new();
        string taken = Path.Combine(folder.Path, ".taken");
        Folder.CreateDirectory(taken);
        for (int i = 0; i < 6; i++) folder.Write($"{i:x}.{new string('a', 32)}", new string('x', 100));
        File.CreateSymbolicLink(Path.Combine(folder.Path, $"9.{new string('b', 32)}"), "/nonexistent");
        SendmailSection bounds = new(folder.Path, TimeSpan.Zero) { DropMessages = messages, DropSize = octets };
        DropPickup.MoveIn(folder.Path, taken, bounds, 1 << 20);
        DropPickup.MoveIn(folder.Path, taken, bounds, 1 << 20); // what waits there counts
        Assert.Equal(expected, Folder.GetFiles(taken).Length);
        Folder.Delete(taken, true);
        Folder.CreateDirectory(taken);
        DropPickup.MoveIn(folder.Path, taken, bounds, 1 << 20);
        Assert.InRange(Folder.GetFiles(taken).Length, 1, expected);
    }

    [Fact]
    public void What_is_larger_than_any_message_or_a_link_to_nothing_holds_up_nobody()
    {
        using TemporaryFolder folder = new();
        string taken = Path.Combine(folder.Path, ".taken"), large = Path.Combine(folder.Path, $"1.{new string('a', 32)}");
        Folder.CreateDirectory(taken);
        File.WriteAllText(Path.Combine(taken, $"0.{new string('a', 32)}"), "waits for its turn");
        using (FileStream file = File.Create(large)) file.SetLength(1L << 40);
        File.CreateSymbolicLink(Path.Combine(folder.Path, $"2.{new string('a', 32)}"), "/nonexistent");
        folder.Write($"3.{new string('a', 32)}", "is behind them");
        DropPickup.MoveIn(folder.Path, taken, new(folder.Path, TimeSpan.Zero) { DropSize = 1000 }, 1 << 20);
        Assert.Equal(4, Folder.GetFiles(taken).Length);
        Assert.Empty(Folder.GetFiles(folder.Path));
    }

    [Theory]
    [InlineData("posthorn-drop 2\nfrom a@b\nto c@d\n\nx")]
    [InlineData("posthorn-drop 1\nto c@d\n\nx")]
    [InlineData("posthorn-drop 1\nfrom a@b\n\nx")]
    [InlineData("posthorn-drop 1\nfrom a@b\nto c@d\nwhat ever\n\nx")]
    [InlineData("posthorn-drop 1\nfrom a@b\nto c@d> NOTIFY=NEVER\n\nx")]
    [InlineData("posthorn-drop 1\nfrom a@b\r\nto c@d\n\nx")]
    [InlineData("posthorn-drop 1\nfrom a@b\nto c@d\n")]
    [InlineData("")]
    public async Task What_is_no_envelope_is_none(string text)
    {
        using MemoryStream file = new(Encoding.UTF8.GetBytes(text));
        Assert.Null(await DropFile.ReadAsync(file, default));
    }

    [Fact]
    public Task Any_octets_are_an_envelope_or_none() => Gen.OneOf(Gen.Byte.Array[0, 20], Gen.Int[0, Lines.Length - 1].Select(i => Encoding.ASCII.GetBytes(Lines[i]))).Array[0, 8]
        .SampleAsync(async parts =>
        {
            using MemoryStream file = new([.. parts.SelectMany(part => part)]);
            if (await DropFile.ReadAsync(file, default) is { } envelope) Assert.DoesNotContain(envelope.Recipients.Append(envelope.Sender), path => path.Any(c => char.IsControl(c) || c is '<' or '>'));
        }, iter: 500);

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> Content(params string[] pieces)
    {
        foreach (string piece in pieces)
        {
            await Task.Yield();
            yield return Encoding.UTF8.GetBytes(piece);
        }
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> Broken()
    {
        yield return new byte[10];
        await Task.Yield();
        throw new IOException("the pipe is broken");
    }
}

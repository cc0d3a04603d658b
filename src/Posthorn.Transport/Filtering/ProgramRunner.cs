using System.Buffers;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Posthorn.Transport.Filtering;

/// <summary>Runs programs for vnd.dovecot.pipe, filter and execute: only from the directory that the administrator named, without a shell, with bounds on time, memory and output.</summary>
internal sealed class ProgramRunner(SieveOptions options)
{
    /// <summary>Sets the bounds before the program begins (util-linux, part of every Debian and Fedora).</summary>
    private const string Limiter = "/usr/bin/prlimit";

    /// <summary>Runs a program; null when there is none of that name.</summary>
    /// <param name="program">Its name in the directory.</param>
    /// <param name="arguments">As the script gave them.</param>
    /// <param name="input">Its standard input.</param>
    /// <param name="environment">All of its environment.</param>
    /// <param name="cancel">Ends it early.</param>
    public async ValueTask<ProgramEnd?> RunAsync(string program, IReadOnlyList<string> arguments, ReadOnlyMemory<byte> input, IReadOnlyDictionary<string, string> environment, CancellationToken cancel)
    {
        if (options.ProgramFolder is not { } folder || program.Length == 0 || program[0] == '.' || program.Contains('/', StringComparison.Ordinal)) return null;
        string path = Path.Combine(folder, program);
        if (!File.Exists(path) || !File.Exists(Limiter)) return null;
        string seconds = ((long)Math.Ceiling(options.ProgramTime.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        string memory = options.ProgramMemory.ToString(CultureInfo.InvariantCulture);
        ProcessStartInfo start = new(Limiter, [$"--as={memory}", $"--cpu={seconds}", "--core=0", "--", path, .. arguments])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder,
        };
        start.Environment.Clear();
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        late.CancelAfter(options.ProgramTime);
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Exception e) when (e is IOException or Win32Exception) { return new(false, default, e.Message); }
        using (process)
        {
            try
            {
                return await TalkAsync(process, input, late.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                cancel.ThrowIfCancellationRequested();
                return new(false, default, $"it ran longer than {seconds} seconds");
            }
        }
    }

    private async Task<ProgramEnd> TalkAsync(Process process, ReadOnlyMemory<byte> input, CancellationToken cancel)
    {
        Task feeding = FeedAsync(process.StandardInput.BaseStream, input, cancel);
        Task<byte[]?> output = GatherAsync(process.StandardOutput.BaseStream, options.Language.Limits.MaxEditedSize, cancel);
        Task<byte[]?> complaints = GatherAsync(process.StandardError.BaseStream, 4096, cancel);
        await feeding;
        byte[]? written = await output;
        byte[]? said = await complaints;
        await process.WaitForExitAsync(cancel);
        if (written is null) return new(false, default, "it wrote too much");
        if (process.ExitCode == 0) return new(true, written, null);
        string words = said is null ? "" : System.Text.Encoding.UTF8.GetString(said).Trim();
        return new(false, written, string.Create(CultureInfo.InvariantCulture, $"it ended with status {process.ExitCode}{(words.Length > 0 ? ": " : "")}{words}"));
    }

    private static async Task FeedAsync(Stream stream, ReadOnlyMemory<byte> input, CancellationToken cancel)
    {
        try
        {
            await stream.WriteAsync(input, cancel);
            await stream.DisposeAsync();
        }
        catch (IOException) { /* it did not want all of it */ }
    }

    // Null when there was more than that. All is read, so that the program does not hang on a full pipe.
    private static async Task<byte[]?> GatherAsync(Stream stream, int max, CancellationToken cancel)
    {
        ArrayBufferWriter<byte> all = new();
        byte[] piece = new byte[16 * 1024];
        bool tooMuch = false;
        while (await stream.ReadAsync(piece, cancel) is > 0 and int got)
        {
            tooMuch |= all.WrittenCount + got > max;
            if (!tooMuch) all.Write(piece.AsSpan(0, got));
        }
        return tooMuch ? null : all.WrittenSpan.ToArray();
    }
}

/// <summary>How a program ended.</summary>
internal sealed record ProgramEnd(bool IsOk, ReadOnlyMemory<byte> Output, string? Problem);

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Posthorn.Journal.Volume;

/// <summary>An open file of <see cref="LinuxVolume"/>.</summary>
internal sealed class LinuxFile(SafeFileHandle handle, string path) : IVolumeFile
{
    public long Length => Stat().Length;

    public int Read(long offset, Span<byte> buffer)
    {
        try
        {
            int total = 0;
            while (total < buffer.Length)
            {
                int read = RandomAccess.Read(handle, buffer[total..], offset + total);
                if (read == 0) break;
                total += read;
            }

            return total;
        }
        catch (Exception problem) when (problem is (IOException and not VolumeException) or UnauthorizedAccessException)
        {
            throw Failure(problem, "read");
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        try
        {
            RandomAccess.Write(handle, data, offset);
        }
        catch (Exception problem) when (problem is (IOException and not VolumeException) or UnauthorizedAccessException)
        {
            throw Failure(problem, "write");
        }
    }

    public void Write(long offset, IReadOnlyList<ReadOnlyMemory<byte>> parts)
    {
        try
        {
            RandomAccess.Write(handle, parts, offset);
        }
        catch (Exception problem) when (problem is (IOException and not VolumeException) or UnauthorizedAccessException)
        {
            throw Failure(problem, "write");
        }
    }

    public void Truncate(long length) => LinuxVolume.Check(Libc.FTruncate(handle, length), "truncate", path);

    public void SyncData() => LinuxVolume.Retry(static file => Libc.FdDataSync(file), handle, "sync", path);

    public bool TryLock()
    {
        if (Libc.Flock(handle, Libc.LockExclusiveNow) == 0) return true;
        int error = Marshal.GetLastPInvokeError();
        return error == Libc.EAgain ? false : throw LinuxVolume.Failure(error, "lock", path);
    }

    public VolumeStat Stat()
    {
        LinuxVolume.Check(Libc.StatX(handle, "\0"u8, EmptyPath, Libc.BasicStats, out Libc.StatXResult result), "stat", path);
        return LinuxVolume.From(result);
    }

    public void Dispose() => handle.Dispose();

    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH: the descriptor itself

    private VolumeException Failure(Exception problem, string operation)
    {
        // .NET hands on the raw errno as the HResult of an IOException that it has no type of its own for.
        int error = problem is UnauthorizedAccessException ? Libc.EAcces : problem.HResult;
        return error is > 0 and < 200 ? LinuxVolume.Failure(error, operation, path) : new(VolumeError.Io, operation, path, problem.Message);
    }
}

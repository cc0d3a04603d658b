using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Posthorn.Directory.Passwords;

/// <summary>Remembers that a login succeeded, without the password: what is kept is an HMAC under a key that dies with the process.</summary>
/// <remarks>The stored hash is part of what is signed, so a changed hash finds nothing. Guarded by its own lock.</remarks>
internal sealed class SuccessCache(int capacity, TimeSpan lifetime, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly Dictionary<Ticket, Entry> _entries = [];
    private readonly Queue<(Ticket Ticket, long Since)> _order = new();

    public int Count
    {
        get { lock (_lock) return _entries.Count; }
    }

    public Ticket TicketFor(string login, string storedHash, ReadOnlySpan<byte> password)
    {
        using IncrementalHash mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key);
        Append(mac, Encoding.UTF8.GetBytes(login));
        Append(mac, Encoding.UTF8.GetBytes(storedHash));
        Append(mac, password);
        Span<byte> result = stackalloc byte[32];
        mac.GetHashAndReset(result);
        return new(BinaryPrimitives.ReadUInt128LittleEndian(result), BinaryPrimitives.ReadUInt128LittleEndian(result[16..]));
    }

    public PasswordForm? Find(Ticket ticket)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(ticket, out Entry entry)) return null;
            return time.GetElapsedTime(entry.Since) < lifetime ? entry.Form : null;
        }
    }

    public void Remember(Ticket ticket, PasswordForm form)
    {
        if (capacity <= 0) return;
        lock (_lock)
        {
            long now = time.GetTimestamp();
            _entries[ticket] = new(now, form);
            _order.Enqueue((ticket, now));
            // The oldest go first; a ticket that was renewed has a later place too.
            while (_order.TryPeek(out (Ticket Ticket, long Since) oldest) &&
                (_entries.Count > capacity || _order.Count > capacity * 2L || time.GetElapsedTime(oldest.Since) >= lifetime))
            {
                _order.Dequeue();
                if (_entries.TryGetValue(oldest.Ticket, out Entry entry) && entry.Since == oldest.Since) _entries.Remove(oldest.Ticket);
            }
        }
    }

    private static void Append(IncrementalHash mac, ReadOnlySpan<byte> part)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, part.Length);
        mac.AppendData(length);
        mac.AppendData(part);
    }

    /// <summary>The name of one success.</summary>
    internal readonly record struct Ticket(UInt128 High, UInt128 Low);

    private readonly record struct Entry(long Since, PasswordForm Form);
}

using Posthorn.Net;

namespace Posthorn.Smtp.Session;

/// <summary>Reads more of a message and holds the peer to a pace: it may pause for DataTimeout, and over the whole message must come to MinDataRate.</summary>
/// <remarks>Only time spent waiting for the peer counts, not our own disk's.</remarks>
internal sealed class BodyPace(SmtpSession session)
{
    private long _received;
    private TimeSpan _waited;

    /// <summary>Reads some more; false when the peer was lost or too slow.</summary>
    public async ValueTask<bool> FillAsync(CancellationToken cancel)
    {
        await session.FlushAsync(cancel); // replies to commands before BDAT
        InputBuffer input = session.Connection.Input;
        SmtpOptions options = session.Options;
        TimeSpan left = options.DataTimeout + TimeSpan.FromSeconds((double)_received / options.MinDataRate) - _waited;
        TimeSpan allowed = left < options.DataTimeout ? left : options.DataTimeout;
        session.Connection.SetDeadline(allowed > TimeSpan.Zero ? allowed : TimeSpan.Zero);
        long start = session.Time.GetTimestamp();
        int before = input.Length;
        bool more = await input.FillAsync(cancel);
        session.Connection.ClearDeadline();
        _waited += session.Time.GetElapsedTime(start);
        _received += input.Length - before;
        return more;
    }

    /// <summary>Reads octets that nobody wants. False when the peer was lost before.</summary>
    public async ValueTask<bool> DiscardAsync(long octets, CancellationToken cancel)
    {
        InputBuffer input = session.Connection.Input;
        while (octets > 0)
        {
            int there = (int)Math.Min(input.Length, octets);
            input.Advance(there);
            octets -= there;
            if (octets > 0 && !await FillAsync(cancel)) return false;
        }
        return true;
    }
}

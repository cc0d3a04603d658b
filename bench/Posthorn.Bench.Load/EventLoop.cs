namespace Posthorn.Bench.Load;

/// <summary>All sessions on one thread.</summary>
internal static class EventLoop
{
    /// <summary>Runs until all sessions are done.</summary>
    /// <exception cref="IOException">A session failed, or nothing happened for the time that is given.</exception>
    internal static unsafe void Run(IReadOnlyList<Wire> sessions, TimeSpan patience)
    {
        bool packed = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64;
        if (!packed) throw new PlatformNotSupportedException("The load driver knows the event structure of x86-64 only.");
        int epoll = Native.EpollCreate(0);
        if (epoll < 0) throw Native.Failed("epoll_create");
        try
        {
            int left = sessions.Count;
            for (int i = 0; i < sessions.Count; i++)
            {
                sessions[i].Begin();
                Watch(epoll, sessions[i], i);
            }

            Native.PackedEvent* events = stackalloc Native.PackedEvent[128];
            while (left > 0)
            {
                int count = Native.EpollWait(epoll, events, 128, (int)patience.TotalMilliseconds);
                if (count == 0) throw new IOException($"the server said nothing for {patience.TotalSeconds:F0} s; {left} sessions wait");
                for (int i = 0; i < count; i++)
                {
                    Wire session = sessions[events[i].Data];
                    if (session.IsDone) continue;
                    session.Ready();
                    while (session.IsNew) Watch(epoll, session, events[i].Data);
                    if (session.IsDone) left--;
                }
            }
        }
        finally
        {
            _ = Native.Close(epoll);
        }
    }

    private static unsafe void Watch(int epoll, Wire session, int index)
    {
        session.IsNew = false;
        Native.PackedEvent e = new() { Events = Native.EpollIn | Native.EpollOut | Native.EpollEdge, Data = index };
        if (Native.EpollControl(epoll, Native.EpollAdd, session.Descriptor, &e) < 0) throw Native.Failed("epoll_ctl");
    }
}

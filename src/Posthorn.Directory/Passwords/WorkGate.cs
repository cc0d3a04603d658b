namespace Posthorn.Directory.Passwords;

/// <summary>Lets a few in at once and a bounded number wait.</summary>
internal sealed class WorkGate(int atOnce, int waiting) : IDisposable
{
    private readonly SemaphoreSlim _free = new(atOnce, atOnce);
    private int _inside;

    /// <summary>False at once when too many wait already. Whoever is let in must call <see cref="Leave"/>.</summary>
    public async ValueTask<bool> EnterAsync(CancellationToken cancel)
    {
        if (Interlocked.Increment(ref _inside) > atOnce + waiting)
        {
            Interlocked.Decrement(ref _inside);
            return false;
        }
        try
        {
            await _free.WaitAsync(cancel);
            return true;
        }
        catch
        {
            Interlocked.Decrement(ref _inside);
            throw;
        }
    }

    public void Leave()
    {
        _free.Release();
        Interlocked.Decrement(ref _inside);
    }

    public void Dispose() => _free.Dispose();
}

using System.Net;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Policy;

/// <summary>The names of clients.</summary>
public sealed class ClientNamesTests
{
    private static readonly IPAddress Client = IPAddress.Parse("198.51.100.7");

    [Fact]
    public async Task A_resolver_that_hangs_counts_as_one_that_does_not_answer_and_holds_nobody_for_long()
    {
        FakeTimeProvider time = new();
        Task<ClientName> asked = new ClientNames(new FakeDns { Hangs = true }, time).FindAsync(Client, default).AsTask();
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.False(asked.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(new(null, null, IsTemporary: true), await asked.WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task A_session_that_ends_does_not_wait_for_a_name()
    {
        using CancellationTokenSource ended = new();
        Task<ClientName> asked = new ClientNames(new FakeDns { Hangs = true }, new FakeTimeProvider()).FindAsync(Client, ended.Token).AsTask();
        await ended.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
    }
}

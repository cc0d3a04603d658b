using System.Globalization;
using Microsoft.Extensions.Logging;
using Posthorn.Directory;
using Posthorn.Net;

namespace Posthorn.DovecotAuth;

/// <summary>What the authentication server needs of the rest.</summary>
/// <param name="Directory">The accounts.</param>
/// <param name="Time">The clock.</param>
/// <param name="Log">Where events go.</param>
public sealed record AuthServices(IDirectory Directory, TimeProvider Time, ILogger Log);

/// <summary>Lets other programs on this machine check logins against our accounts: Dovecot's protocol for authentication clients, version 1.2, which Postfix and Exim speak.</summary>
public sealed class AuthServer(AuthOptions options, AuthServices services) : IConnectionHandler
{
    private int _connections;

    public ReadOnlyMemory<byte> BusyReply => default;

    public async Task ServeAsync(Connection connection, CancellationToken cancel)
    {
        string number = Interlocked.Increment(ref _connections).ToString(CultureInfo.InvariantCulture);
        await new AuthSession(connection, options, services, number).RunAsync(cancel);
    }
}

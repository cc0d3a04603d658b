using System.Text.Json;
using Posthorn.Control;
using Posthorn.Core;

namespace Posthorn.Serving;

/// <summary>The mail stores over the control socket.</summary>
internal static class StoreRoutes
{
    /// <summary>Makes one account's word index anew; answers when that is done.</summary>
    public static async ValueTask<ControlReply> ReindexAsync(Composition parts, ControlRequest request, CancellationToken cancel)
    {
        string text = request.Query["account"].ToString();
        if (!EmailAddress.TryParse(text, out EmailAddress address) || parts.Directory.FindAccount(address) is not { } account) return ControlReply.NotFound($"there is no account {text}");
        int messages = 0;
        bool good = await parts.ReindexAsync(account, some => messages += some, cancel);
        return new(200, JsonSerializer.Serialize(new ReindexedAccount(account.Address.ToString(), messages, good), ControlJson.Default.ReindexedAccount));
    }
}

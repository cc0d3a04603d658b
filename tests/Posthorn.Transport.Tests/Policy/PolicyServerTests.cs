using System.Net;
using System.Net.Sockets;
using System.Text;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Delegation;
using Posthorn.Transport.Policy.Rules;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Policy;

/// <summary>The client of the policy delegation protocol, against a server in the test.</summary>
public sealed class PolicyServerTests : IAsyncDisposable
{
    private static readonly string[] Words = ["action=", "\n", "\r\n", "\n\n", "OK", "REJECT ", "550 ", "PREPEND X: y", "action=REDIRECT a@b", "\0"];
    private readonly TransportRig _rig = new();
    private readonly FakePolicyServer _server = new();
    private PolicyServer? _client;

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        await _server.DisposeAsync();
        _rig.Dispose();
    }

    [Fact]
    public async Task The_attributes_are_those_of_the_readme()
    {
        _server.Answers.Enqueue("action=DUNNO\n\n");
        Assert.Equal(250, (await RcptAsync()).Code);
        string request = Assert.Single(_server.Requests);
        Dictionary<string, string> attributes = request.TrimEnd('\n').Split('\n').Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        Assert.Equal("smtpd_access_policy", attributes["request"]);
        Assert.StartsWith("request=", request, StringComparison.Ordinal);
        Assert.EndsWith("\n\n", request, StringComparison.Ordinal);
        Assert.Equal(("RCPT", "ESMTP"), (attributes["protocol_state"], attributes["protocol_name"]));
        Assert.Equal(("198.51.100.7", "unknown", "client.example.net"), (attributes["client_address"], attributes["client_name"], attributes["helo_name"]));
        Assert.Equal(("eve@example.net", "ann@example.org", "0"), (attributes["sender"], attributes["recipient"], attributes["recipient_count"]));
        Assert.Equal(("", "", "0"), (attributes["sasl_username"], attributes["encryption_protocol"], attributes["size"]));
        Assert.NotEmpty(attributes["instance"]);
    }

    [Theory]
    [InlineData("action=REJECT 5.7.9 Not you", "554 5.7.9 Not you")]
    [InlineData("action=550 5.1.1 Who?", "550 5.1.1 Who?")]
    [InlineData("action=defer_if_permit Greylisted", "450 4.7.1 Greylisted")]
    [InlineData("action=DEFER", "450 4.7.1 Service unavailable, try again later")]
    [InlineData("action=450 Wait\r", "450 4.7.1 Wait")]
    [InlineData("note=x\naction=OK", "250 2.1.5 Ok")]
    [InlineData("action=1130000000", "250 2.1.5 Ok")] // access(5): all-numerical is "yes"
    [InlineData("action=200", "250 2.1.5 Ok")]
    [InlineData("action=200 Come in", "451 4.3.5 Server configuration problem")]
    [InlineData("action=550", "550 5.7.1 Access denied")]
    [InlineData("action=HOLD", "250 2.1.5 Ok")]
    [InlineData("action=WARN hm", "250 2.1.5 Ok")]
    [InlineData("action=NONSENSE", "451 4.3.5 Server configuration problem")]
    [InlineData("nothing=x", "451 4.3.5 Server configuration problem")]
    public async Task Each_answer_is_what_access_5_says(string answer, string reply)
    {
        _server.Answers.Enqueue(answer + "\n\n");
        Assert.Equal(reply, (await RcptAsync()).ToString());
    }

    [Fact]
    public async Task One_connection_serves_many_requests_and_one_that_the_server_closed_is_replaced()
    {
        for (int i = 0; i < 3; i++) _server.Answers.Enqueue("action=DUNNO\n\n");
        for (int i = 0; i < 3; i++) Assert.True((await RcptAsync()).IsPositive);
        Assert.Equal(1, _server.Connections);
        _server.Drop();
        _server.Answers.Enqueue("action=REJECT\n\n");
        Assert.Equal(554, (await RcptAsync()).Code);
        Assert.Equal((2, 4), (_server.Connections, _server.Requests.Count));
    }

    [Fact]
    public async Task An_old_connection_is_not_used_again()
    {
        _server.Answers.Enqueue("action=DUNNO\n\n");
        _server.Answers.Enqueue("action=DUNNO\n\n");
        await RcptAsync();
        _rig.Time.Advance(TimeSpan.FromSeconds(301));
        await RcptAsync();
        Assert.Equal(2, _server.Connections);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_not_waited_for_beyond_its_time()
    {
        Task<SmtpReply> reply = RcptAsync();
        while (_server.Requests.IsEmpty) await Task.Delay(5, TestContext.Current.CancellationToken);
        _rig.Time.Advance(TimeSpan.FromSeconds(101));
        Assert.Equal("451 4.3.5 Server configuration problem", (await reply.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken)).ToString());
    }

    // What it says later would be taken for the answer to the next question.
    [Fact]
    public async Task A_kept_connection_on_which_no_answer_came_is_closed()
    {
        _server.Answers.Enqueue("action=OK\n\n");
        Assert.Equal(250, (await RcptAsync()).Code);
        Task<SmtpReply> reply = RcptAsync();
        while (_server.Requests.Count < 2) await Task.Delay(5, TestContext.Current.CancellationToken);
        _rig.Time.Advance(TimeSpan.FromSeconds(101));
        Assert.Equal(451, (await reply.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken)).Code);
        await _server.FirstClosed.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.Equal(1, _server.Connections);
    }

    [Fact]
    public async Task A_server_that_is_not_there_gives_what_the_rule_says()
    {
        await _server.DisposeAsync();
        Assert.Equal(451, (await RcptAsync()).Code);
        Assert.Equal(250, (await RcptAsync(new PolicyAction.Pass())).Code);
    }

    [Fact]
    public async Task An_endless_answer_is_cut_off()
    {
        _server.Answers.Enqueue(new string('x', 20_000));
        Assert.Equal(451, (await RcptAsync()).Code);
    }

    [Fact]
    public async Task A_unix_socket_will_do()
    {
        using TemporaryFolder folder = new();
        string path = System.IO.Path.Combine(folder.Path, "policy");
        await using FakePolicyServer server = new(new UnixDomainSocketEndPoint(path));
        server.Answers.Enqueue("action=REJECT\n\n");
        _client = new(new() { Place = server.Place }, _rig.Time);
        Assert.Equal(554, (await RcptAsync()).Code);
    }

    [Fact]
    public async Task A_dry_run_asks_nobody()
    {
        AskPolicy ask = new(_client = new(new() { Place = _server.Place }, _rig.Time), new PolicyAction.Pass());
        List<CheckRemark> remarks = [];
        CheckContext context = new(TransportRig.Stranger, new(null), NullLogger.Instance, remarks);
        RuleFacts facts = new(context, CheckStage.Connect, new(_rig.Directory, null), []);
        Assert.IsType<PolicyAction.Pass>(await ask.DecideAsync(facts, TestContext.Current.CancellationToken));
        Assert.Single(remarks);
        Assert.Empty(_server.Requests);
    }

    [Fact]
    public void Any_octets_are_an_answer_or_none() => Gen.OneOf(Gen.String, Gen.Int[0, Words.Length - 1].Select(i => Words[i]))
        .Array[0, 12].Select(string.Concat).Sample(text =>
        {
            byte[] octets = Encoding.UTF8.GetBytes(text);
            _ = PolicyAnswer.IsComplete(octets);
            if (!PolicyAnswer.TryParse(octets, out string action)) return;
            if (!PolicyAction.TryParse(action, out PolicyAction parsed, out string problem)) Assert.NotEmpty(problem);
            string shown = parsed switch
            {
                PolicyAction.Refuse refuse => refuse.Reply.ToString(),
                PolicyAction.Prepend prepend => prepend.Field,
                PolicyAction.Hold hold => hold.Reason,
                PolicyAction.Discard discard => discard.Reason,
                PolicyAction.Warn warn => warn.Text,
                _ => "",
            };
            Assert.DoesNotContain(shown, char.IsControl);
            Assert.InRange(shown.Length, 0, PolicyAction.MaxText + 20);
        });

    private async Task<SmtpReply> RcptAsync(PolicyAction? onFailure = null)
    {
        _client ??= new(new() { Place = _server.Place }, _rig.Time);
        Rule rule = new() { Place = "rules:1", Stage = CheckStage.Recipient, Action = new AskPolicy(_client, onFailure ?? new PolicyAction.Refuse(new(451, "4.3.5", "Server configuration problem"))) };
        _rig.Transport.Checks = new([new RuleSet([rule], new(_rig.Directory, null))], new(null));
        await using SessionPolicy policy = new(_rig.Transport, _rig.Transport.OpenChecks(TransportRig.Stranger), delays: false);
        Envelope envelope = _rig.Envelope(TransportRig.Stranger, "eve@example.net");
        await policy.SenderAsync(envelope, TestContext.Current.CancellationToken);
        return await policy.RecipientAsync(envelope, new(EmailAddress.Parse("ann@example.org"), DsnNotify.Unspecified, null), TestContext.Current.CancellationToken);
    }

    /// <summary>Gives prepared answers; with none left it says nothing.</summary>
    private sealed class FakePolicyServer : IAsyncDisposable
    {
        private readonly Socket _listener;
        private readonly List<Socket> _open = [];
        private readonly Task _accepting;
        private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public FakePolicyServer(EndPoint? place = null)
        {
            _listener = place is null ? new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) : new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            _listener.Bind(place ?? new IPEndPoint(IPAddress.Loopback, 0));
            _listener.Listen();
            Place = place ?? _listener.LocalEndPoint!;
            _accepting = AcceptAsync();
        }

        public EndPoint Place { get; }
        public int Connections { get; private set; }
        public Task FirstClosed => _closed.Task;
        public System.Collections.Concurrent.ConcurrentQueue<string> Answers { get; } = new();
        public System.Collections.Concurrent.ConcurrentQueue<string> Requests { get; } = new();

        public void Drop()
        {
            lock (_open)
            {
                foreach (Socket socket in _open) socket.Dispose();
                _open.Clear();
            }
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            Drop();
            await _accepting;
        }

        private async Task AcceptAsync()
        {
            while (true)
            {
                try
                {
                    Socket socket = await _listener.AcceptAsync();
                    Connections++;
                    lock (_open) _open.Add(socket);
                    _ = ServeAsync(socket);
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException) { return; }
            }
        }

        private async Task ServeAsync(Socket socket)
        {
            StringBuilder text = new();
            byte[] buffer = new byte[8192];
            try
            {
                while (await socket.ReceiveAsync(buffer, SocketFlags.None) is > 0 and int read)
                {
                    text.Append(Encoding.UTF8.GetString(buffer, 0, read));
                    if (!text.ToString().EndsWith("\n\n", StringComparison.Ordinal)) continue;
                    Requests.Enqueue(text.ToString());
                    text.Clear();
                    if (Answers.TryDequeue(out string? answer)) await socket.SendAsync(Encoding.UTF8.GetBytes(answer), SocketFlags.None);
                }
                _closed.TrySetResult();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException) { /* dropped */ }
        }
    }
}

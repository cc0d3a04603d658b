using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>A zone signed with DNSSEC, served by a real nsd, and a real unbound that validates it: all unpacked from Debian's packages.</summary>
internal sealed class SignedZone : IDisposable
{
    private readonly List<Daemon> _daemons = [];

    private SignedZone(int port) => ResolverPort = port;

    /// <summary>Where unbound answers.</summary>
    public int ResolverPort { get; }

    /// <param name="folder">Where its files go.</param>
    /// <param name="zone">The zone's name.</param>
    /// <param name="records">Its records, relative to the zone, as a zone file has them.</param>
    /// <param name="forge">What becomes of the signed zone's text: whoever changes it makes it bogus.</param>
    public static async Task<SignedZone> StartAsync(string folder, string zone, string records, Func<string, string> forge)
    {
        string tree = UnpackedPeer.Require("dns"), work = Path.Combine(folder, "dns");
        Folder.CreateDirectory(work);
        string libraries = Path.Combine(tree, "usr/lib/x86_64-linux-gnu");
        string[] With(string program) => [$"LD_LIBRARY_PATH={libraries}", Path.Combine(tree, program)];
        await File.WriteAllTextAsync(Path.Combine(work, zone), $"$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns.{zone}. root.{zone}. 1 3600 600 86400 60\n@ IN NS ns.{zone}.\nns IN A 127.0.0.1\n{records}\n");
        List<string> keys = [];
        foreach (string[] kind in (string[][])[["-k"], []])
            keys.Add((await Peer.SucceedAsync("env", [.. With("usr/bin/ldns-keygen"), "-a", "ECDSAP256SHA256", "-r", "/dev/urandom", .. kind, zone], home: work)).Output.Trim());
        await Peer.SucceedAsync("env", [.. With("usr/bin/ldns-signzone"), "-f", zone + ".signed", zone, .. keys], home: work);
        string signed = Path.Combine(work, zone + ".signed");
        await File.WriteAllTextAsync(signed, forge(await File.ReadAllTextAsync(signed)));
        int authority = Ports.Free(), resolver = Ports.Free();
        await File.WriteAllTextAsync(Path.Combine(work, "nsd.conf"), string.Create(CultureInfo.InvariantCulture, $"""
            server:
              ip-address: 127.0.0.1@{authority}
              username: ""
              chroot: ""
              database: ""
              pidfile: "{work}/nsd.pid"
              zonelistfile: "{work}/nsd.zones"
              xfrdfile: "{work}/nsd.xfrd"
              zonesdir: "{work}"
            remote-control:
              control-enable: no
            zone:
              name: "{zone}"
              zonefile: "{zone}.signed"

            """));
        await File.WriteAllTextAsync(Path.Combine(work, "unbound.conf"), string.Create(CultureInfo.InvariantCulture, $"""
            server:
              interface: 127.0.0.1@{resolver}
              username: ""
              chroot: ""
              directory: "{work}"
              pidfile: ""
              use-syslog: no
              do-not-query-localhost: no
              module-config: "validator iterator"
              trust-anchor-file: "{work}/{keys[0]}.key"
            remote-control:
              control-enable: no
            stub-zone:
              name: "{zone}"
              stub-addr: 127.0.0.1@{authority}

            """));
        SignedZone started = new(resolver);
        started._daemons.Add(Daemon.Start("env", [.. With("usr/sbin/nsd"), "-d", "-c", Path.Combine(work, "nsd.conf")]));
        started._daemons.Add(Daemon.Start("env", [.. With("usr/sbin/unbound"), "-d", "-c", Path.Combine(work, "unbound.conf")]));
        await started.WaitAsync();
        return started;
    }

    public void Dispose()
    {
        foreach (Daemon daemon in _daemons) daemon.Dispose();
    }

    private async Task WaitAsync()
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        while (true)
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, ResolverPort), patience.Token);
                return;
            }
            catch (SocketException) { await Task.Delay(50, patience.Token); }
        }
    }
}

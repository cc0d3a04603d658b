using System.Text;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Journal.Volume;
using Posthorn.Testing.Volumes;

namespace Posthorn.Journal.Tests.Volume;

/// <summary>The real volume and the one for crashes behave alike while nothing crashes.</summary>
public sealed class VolumeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("posthorn-volume-").FullName;

    public static TheoryData<string> Kinds => ["linux", "crash"];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private (IVolume Volume, string Root) Make(string kind)
    {
        if (kind == "linux") return (new LinuxVolume(), _folder);
        CrashVolume volume = new(new FakeTimeProvider());
        volume.MakeDirectory("/root");
        return (volume, "/root");
    }

    private static void Put(IVolume volume, string path, string text)
    {
        using IVolumeFile file = volume.Open(path, VolumeOpen.Replace);
        file.Write(0, Encoding.ASCII.GetBytes(text));
    }

    private static string Get(IVolume volume, string path)
    {
        using IVolumeFile file = volume.Open(path, VolumeOpen.Read);
        byte[] bytes = new byte[file.Length + 5];
        return Encoding.ASCII.GetString(bytes, 0, file.Read(0, bytes));
    }

    private static VolumeError Fails(Action action) => Assert.Throws<VolumeException>(action).Error;

    [Theory, MemberData(nameof(Kinds))]
    public void Files_are_written_at_offsets_gathered_cut_and_synced(string kind)
    {
        (IVolume volume, string root) = Make(kind);
        using IVolumeFile file = volume.Open(root + "/f", VolumeOpen.CreateNew);
        file.Write(3, "defg"u8);
        file.Write(0, [(ReadOnlyMemory<byte>)"ab"u8.ToArray(), "c"u8.ToArray()]);
        Assert.Equal(7, file.Length);
        Assert.Equal("abcdefg", Get(volume, root + "/f"));
        file.Truncate(4);
        file.Write(6, "z"u8);
        file.SyncData();
        Assert.Equal("abcd\0\0z", Get(volume, root + "/f"));
        Assert.Equal(0, file.Read(7, new byte[4]));
        Assert.Equal((VolumeKind.File, 7L, 1), (file.Stat().Kind, file.Stat().Length, file.Stat().Links));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Whether_names_may_be_changed_is_known_without_trying(string kind)
    {
        (IVolume volume, string root) = Make(kind);
        volume.MakeDirectory(root + "/sub");
        Assert.True(volume.MayWrite(root + "/sub"));
        Assert.False(volume.MayWrite(root + "/none"));
        if (volume is CrashVolume crash) crash.ReadOnly = true;
        else if (Environment.UserName != "root") File.SetUnixFileMode(root + "/sub", UnixFileMode.UserRead | UnixFileMode.UserExecute);
        else return; // who may do anything
        Assert.False(volume.MayWrite(root + "/sub"));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Symbolic_links_are_made_read_followed_and_replaced(string kind)
    {
        (IVolume volume, string root) = Make(kind);
        volume.MakeDirectory(root + "/sub");
        Put(volume, root + "/sub/a", "text");
        volume.MakeSymbolicLink("sub/a", root + "/link");
        Assert.True(volume.TryReadLink(root + "/link", out string target));
        Assert.Equal("sub/a", target);
        Assert.Equal("text", Get(volume, root + "/link"));
        Assert.True(volume.TryStat(root + "/link", out VolumeStat stat));
        Assert.Equal((VolumeKind.File, 4L), (stat.Kind, stat.Length));
        Assert.Contains(volume.List(root, times: false), entry => entry is { Name: "link", Kind: VolumeKind.SymbolicLink });
        Assert.Equal(VolumeError.Exists, Fails(() => volume.MakeSymbolicLink("sub/b", root + "/link")));
        volume.MakeSymbolicLink("sub/gone", root + "/new");
        volume.Rename(root + "/new", root + "/link");
        Assert.False(volume.TryStat(root + "/link", out _));
        volume.Unlink(root + "/link");
        Assert.False(volume.TryReadLink(root + "/link", out _));
        Assert.False(volume.TryReadLink(root + "/sub/a", out _));
        Assert.Equal("text", Get(volume, root + "/sub/a"));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Open_modes_do_what_they_say(string kind)
    {
        (IVolume volume, string root) = Make(kind);
        Assert.Equal(VolumeError.Missing, Fails(() => volume.Open(root + "/f", VolumeOpen.Read)));
        Assert.Equal(VolumeError.Missing, Fails(() => volume.Open(root + "/f", VolumeOpen.ReadWrite)));
        Put(volume, root + "/f", "text");
        Assert.Equal(VolumeError.Exists, Fails(() => volume.Open(root + "/f", VolumeOpen.CreateNew)));
        volume.Open(root + "/f", VolumeOpen.OpenOrCreate).Dispose();
        Assert.Equal("text", Get(volume, root + "/f"));
        volume.Open(root + "/f", VolumeOpen.Replace).Dispose();
        Assert.Equal("", Get(volume, root + "/f"));
        Assert.Equal(VolumeError.Invalid, Fails(() => volume.Open("relative", VolumeOpen.Read)));
        Assert.Equal(VolumeError.Invalid, Fails(() => volume.Open(root + "/a\0b", VolumeOpen.Read)));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Links_share_content_and_renames_replace_or_refuse(string kind)
    {
        (IVolume volume, string root) = Make(kind);
        Put(volume, root + "/a", "one");
        volume.Link(root + "/a", root + "/b");
        Assert.Equal(VolumeError.Exists, Fails(() => volume.Link(root + "/a", root + "/b")));
        Put(volume, root + "/b", "two");
        Assert.Equal("two", Get(volume, root + "/a"));
        Assert.True(volume.TryStat(root + "/a", out VolumeStat a));
        Assert.True(volume.TryStat(root + "/b", out VolumeStat b));
        Assert.Equal((a.Inode, 2), (b.Inode, b.Links));

        Put(volume, root + "/c", "three");
        Assert.Equal(VolumeError.Exists, Fails(() => volume.RenameNew(root + "/c", root + "/b")));
        Assert.Equal(VolumeError.Exists, Fails(() => volume.RenameNew(root + "/a", root + "/b"))); // two names of one file
        volume.Rename(root + "/a", root + "/b"); // nothing happens then (rename(2))
        Assert.True(volume.TryStat(root + "/a", out _));
        volume.MakeDirectory(root + "/sub");
        Assert.Equal(VolumeError.Invalid, Fails(() => volume.RenameNew(root + "/sub", root + "/sub/below")));
        volume.Rename(root + "/c", root + "/b");
        Assert.Equal("three", Get(volume, root + "/b"));
        Assert.False(volume.TryStat(root + "/c", out _));
        volume.RenameNew(root + "/b", root + "/d");
        volume.Unlink(root + "/d");
        Assert.Equal(VolumeError.Missing, Fails(() => volume.Unlink(root + "/d")));
        Assert.Equal(VolumeError.Missing, Fails(() => volume.Rename(root + "/d", root + "/e")));
        Assert.Equal(1, volume.TryStat(root + "/a", out a) ? a.Links : 0);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Directories_are_made_listed_and_removed(string kind)
    {
        (IVolume volume, string root) = Make(kind);
        volume.MakeDirectory(root + "/dir");
        Assert.Equal(VolumeError.Exists, Fails(() => volume.MakeDirectory(root + "/dir")));
        Assert.Equal(VolumeError.Missing, Fails(() => volume.MakeDirectory(root + "/no/dir")));
        for (int i = 0; i < 2000; i++) Put(volume, $"{root}/dir/file-with-a-name-of-some-length-{i}", "");
        Put(volume, root + "/dir/Grüße", "");
        IReadOnlyList<VolumeEntry> entries = volume.List(root + "/dir", times: true);
        Assert.Equal(2001, entries.Select(entry => entry.Name).Distinct().Count());
        Assert.Contains(entries, entry => entry is { Name: "Grüße", Kind: VolumeKind.File });
        Assert.Equal(VolumeKind.Directory, Assert.Single(volume.List(root, times: false)).Kind);
        Assert.Equal(VolumeError.NotEmpty, Fails(() => volume.RemoveDirectory(root + "/dir")));
        foreach (VolumeEntry entry in entries) volume.Unlink($"{root}/dir/{entry.Name}");
        volume.SyncDirectory(root + "/dir");
        volume.RemoveDirectory(root + "/dir");
        volume.SyncVolume(root);
        Assert.False(volume.TryStat(root + "/dir", out _));
        Assert.Equal(VolumeError.Missing, Fails(() => volume.List(root + "/dir", times: false)));
        Assert.True(volume.FreeSpace(root) > 0);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Times_and_locks(string kind)
    {
        (IVolume volume, string root) = Make(kind);
        Put(volume, root + "/f", "");
        foreach (DateTimeOffset time in new[] { new DateTimeOffset(2001, 2, 3, 4, 5, 6, 700, TimeSpan.Zero), new(1969, 12, 31, 23, 59, 58, 250, TimeSpan.Zero) })
        {
            volume.SetModified(root + "/f", time);
            Assert.Equal(time, volume.TryStat(root + "/f", out VolumeStat stat) ? stat.Modified : default);
            Assert.Equal(time, volume.List(root, times: true)[0].Modified);
        }

        using IVolumeFile first = volume.Open(root + "/f", VolumeOpen.ReadWrite);
        using IVolumeFile second = volume.Open(root + "/f", VolumeOpen.ReadWrite);
        Assert.True(first.TryLock());
        Assert.False(second.TryLock());
        first.Dispose();
        Assert.True(second.TryLock());
    }

    [Fact]
    public void Names_that_are_not_utf8_are_found_again()
    {
        LinuxVolume volume = new();
        string name = PathBytes.Decode([(byte)'J', 0xFC, (byte)'r', 0xC3, 0xA4, (byte)'n']); // Latin-1 ü, UTF-8 ä
        Assert.Equal("J\uDCFCrän", name);
        Put(volume, $"{_folder}/{name}", "here");
        Assert.Equal(name, Assert.Single(volume.List(_folder, times: false)).Name);
        Assert.Equal("here", Get(volume, $"{_folder}/{name}"));
        volume.Unlink($"{_folder}/{name}");
    }

    [Fact]
    public void What_was_not_synced_may_be_lost_and_what_was_may_not()
    {
        HashSet<string> seen = [];
        for (int seed = 0; seed < 60; seed++)
        {
            CrashVolume volume = new(new FakeTimeProvider());
            Put(volume, "/kept", "kept");
            using (IVolumeFile file = volume.Open("/kept", VolumeOpen.ReadWrite)) file.SyncData();
            volume.SyncDirectory("/");
            volume.Link("/kept", "/other");
            Put(volume, "/new", new string('n', 1024));
            volume.Crash(seed);
            Assert.Equal("kept", Get(volume, "/kept"));
            string found = volume.TryStat("/other", out _) ? "link " : "";
            if (volume.TryStat("/new", out _)) found += Get(volume, "/new") is var text && text.Length == 0 ? "empty" : text[0] == 'n' && text[^1] == 'n' ? "whole" : "torn";
            seen.Add(found);
        }

        Assert.Superset(new HashSet<string> { "", "link ", "link whole", "link empty", "empty" }, seen);
    }

    [Fact]
    public void After_a_failed_sync_a_later_one_does_not_cover_the_same_data()
    {
        HashSet<string> seen = [];
        for (int seed = 0; seed < 40; seed++)
        {
            CrashVolume volume = new(new FakeTimeProvider());
            Put(volume, "/f", "old");
            using IVolumeFile file = volume.Open("/f", VolumeOpen.ReadWrite);
            file.SyncData();
            volume.SyncDirectory("/");
            file.Write(0, "new"u8);
            volume.Fault = (operation, _) => operation == "sync" ? VolumeError.Io : null;
            Assert.Equal(VolumeError.Io, Fails(file.SyncData));
            volume.Fault = null;
            file.SyncData();
            volume.Crash(seed);
            seen.Add(Get(volume, "/f"));
        }

        Assert.Equal(["new", "old"], seen.Order(StringComparer.Ordinal));
    }
}

using Microsoft.Extensions.Time.Testing;
using Posthorn.Journal.Volume;
using Posthorn.Store.Maildir;
using Posthorn.Testing.Volumes;

namespace Posthorn.Store.Tests.Maildir;

/// <summary>Bringing a file to another name leaves one name, whatever a crash left there.</summary>
public sealed class MaildirTreeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("posthorn-tree-").FullName;

    public static TheoryData<string> Kinds => ["linux", "crash"];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private (MaildirTree Tree, string From, string Target) Make(string kind)
    {
        IVolume volume = kind == "linux" ? new LinuxVolume() : new CrashVolume(new FakeTimeProvider());
        string root = kind == "linux" ? _folder : "/mail";
        if (kind != "linux") volume.MakeDirectory(root);
        volume.MakeDirectory(root + "/cur");
        MaildirTree tree = new(volume, root, new('.'));
        Put(tree, root + "/cur/1.a", "message");
        return (tree, root + "/cur/1.a", root + "/cur/1.b");
    }

    private static void Put(MaildirTree tree, string path, string text) => tree.Write(path, [System.Text.Encoding.ASCII.GetBytes(text)], DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch);

    private static void Is(MaildirTree tree, string path, string other, int names = 1)
    {
        Assert.False(tree.Exists(path));
        Assert.Equal("message", tree.ReadText(other));
        Assert.Equal(names, tree.Volume.TryStat(other, out VolumeStat stat) ? stat.Links : 0);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_file_gets_a_free_name(string kind)
    {
        (MaildirTree tree, string from, string target) = Make(kind);
        tree.Move(from, target);
        Is(tree, from, target);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_file_goes_in_place_of_another(string kind)
    {
        (MaildirTree tree, string from, string target) = Make(kind);
        Put(tree, target, "torn");
        tree.Move(from, target);
        Is(tree, from, target);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Of_two_names_of_one_file_the_old_one_goes(string kind)
    {
        (MaildirTree tree, string from, string target) = Make(kind);
        tree.Volume.Link(from, target);
        tree.Move(from, target);
        Is(tree, from, target);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_copy_elsewhere_stays(string kind)
    {
        (MaildirTree tree, string from, string target) = Make(kind);
        tree.Volume.Link(from, target + ".copy");
        tree.Volume.Link(from, target);
        tree.Move(from, target);
        Is(tree, from, target, names: 2);
        Assert.Equal("message", tree.ReadText(target + ".copy"));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_name_that_a_file_has_is_left(string kind)
    {
        (MaildirTree tree, string from, string target) = Make(kind);
        tree.Move(from, from);
        Is(tree, target, from);
    }

    [Fact]
    public void The_same_file_by_way_of_a_symbolic_link_is_not_lost()
    {
        (MaildirTree tree, string from, _) = Make("linux");
        tree.Volume.MakeSymbolicLink(_folder + "/cur", _folder + "/also");
        tree.Move(from, _folder + "/also/1.a");
        Assert.Equal("message", tree.ReadText(from));
    }

    [Fact]
    public void What_is_not_there_cannot_be_moved()
    {
        (MaildirTree tree, _, string target) = Make("crash");
        Assert.Equal(VolumeError.Missing, Assert.Throws<VolumeException>(() => tree.Move(target, target + "2")).Error);
    }

    [Fact]
    public void The_usual_way_is_one_call()
    {
        (MaildirTree tree, string from, string target) = Make("crash");
        CrashVolume volume = (CrashVolume)tree.Volume;
        (long looks, int changes) = (volume.Looks, volume.Operations);
        tree.Move(from, target);
        Assert.Equal((looks, changes + 1), (volume.Looks, volume.Operations));
    }
}

using System.Globalization;
using Posthorn.Bench.LargeMailbox;

// What a mailbox of many messages costs, and what many accounts do. See bench/Posthorn.Bench.LargeMailbox/README.md.
if (args is not [var what, .. var rest] || rest.Length == 0)
{
    Console.Error.WriteLine("usage: large DIRECTORY [MESSAGES] | search DIRECTORY DIRECTORY-OF-MESSAGES | accounts DIRECTORY [ACCOUNTS]");
    return 2;
}

return what switch
{
    "large" => await LargeRun.RunAsync(rest[0], rest.Length > 1 ? int.Parse(rest[1], CultureInfo.InvariantCulture) : 1_000_000),
    "accounts" => await AccountsRun.RunAsync(Path.GetFullPath(rest[0]), rest.Length > 1 ? int.Parse(rest[1], CultureInfo.InvariantCulture) : 10_000),
    "search" when rest.Length == 2 => await SearchRun.RunAsync(rest[0], rest[1]),
    _ => 2,
};

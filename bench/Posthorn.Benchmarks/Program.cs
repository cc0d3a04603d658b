using BenchmarkDotNet.Running;
using Posthorn.Benchmarks.Store;

// "store [MESSAGES]" times the store as a whole; anything else goes to BenchmarkDotNet ("--filter '*'", "--list flat").
if (args is not ["store", ..])
{
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
    return;
}

string folder = Directory.CreateTempSubdirectory("phb.").FullName;
await using (StoreBench bench = await StoreBench.OpenAsync(folder))
    await new StoreReport(bench, Console.Out, args.Length > 1 ? int.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture) : 10_000).RunAsync();
Directory.Delete(folder, recursive: true);

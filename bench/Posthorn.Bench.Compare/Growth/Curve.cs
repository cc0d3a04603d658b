namespace Posthorn.Bench.Compare.Growth;

/// <summary>What one kind of work cost at each size.</summary>
/// <param name="Name">Of the work.</param>
/// <param name="Points">Sizes with what it cost there.</param>
internal sealed record Curve(string Name, IReadOnlyList<(double Size, double Value)> Points);

/// <summary>Curves over the same sizes.</summary>
/// <param name="Title">What is shown.</param>
/// <param name="Sizes">What grows.</param>
/// <param name="Unit">Of the values.</param>
/// <param name="Curves">The curves.</param>
internal sealed record Plot(string Title, string Sizes, string Unit, IReadOnlyList<Curve> Curves);

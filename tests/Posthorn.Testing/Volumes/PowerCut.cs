namespace Posthorn.Testing.Volumes;

/// <summary>The power went. Not a <c>VolumeException</c>: no code may take it for an error that it can handle.</summary>
public sealed class PowerCut : Exception
{
    public PowerCut()
        : base("The power was cut.")
    {
    }
}

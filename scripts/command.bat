@echo off
rem HostFactory calls this script with -f input.json. It runs the program with the script's own name: in bin\ of the
rem installed folder, or in hfstack\ of the frozen one. build/freeze.py copies it once for each command.
setlocal disabledelayedexpansion
set "hfstack_program=%~dp0..\bin\%~n0.exe"
if not exist "%hfstack_program%" set "hfstack_program=%~dp0..\hfstack\%~n0.exe"
if not exist "%hfstack_program%" (
    echo {"message": "%~n0: program %~n0.exe not found: the installation of hfstack is incomplete"}
    exit /b 1
)
"%hfstack_program%" %*
exit /b %ERRORLEVEL%
